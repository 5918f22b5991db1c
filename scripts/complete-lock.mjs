// After `npm install`: adds the platform packages that the registry at hand lacks to package-lock.json.
// npm leaves them out, and `npm ci` then refuses the file wherever they are to be had or are asked for.
// Their names say for which system they are; npm fetches none that does not fit the machine.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));

for (const { name, version, by } of missingFromLock(lock)) {
  const [, os, cpu, abi] = /binding-([a-z0-9]+)-([a-z0-9]+)(?:-([a-z]+))?$/.exec(name) ?? [];
  if (os === undefined) throw new Error(`${name}: its name does not say for which system it is`);
  const libc = os === 'linux' && cpu !== 'arm' ? { libc: [abi === 'musl' ? 'musl' : 'glibc'] } : {};
  const dev = by.dev === true ? { dev: true } : {};
  lock.packages[`node_modules/${name}`] = { version, cpu: [cpu], ...dev, ...libc, optional: true, os: [os] };
  console.log(`added ${name}@${version}`);
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);

function missingFromLock({ packages }) {
  return Object.entries(packages).flatMap(([path, by]) =>
    Object.entries(by.optionalDependencies ?? {})
      .filter(([name]) => !isThere(packages, path, name))
      .map(([name, version]) => ({ name, version, by })),
  );
}

/** As Node resolves: from the innermost node_modules outwards. */
function isThere(packages, path, name) {
  for (let at = path; ;) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
    at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : '';
  }
}
