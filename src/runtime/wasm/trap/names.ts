/** The name of the file, which the engine puts before that of a function. */
const FILE = /^[^ ]*\.wasm\./;
/** Rust's older mangling ends with a hash that tells an author nothing. */
const HASH = /^h[0-9a-f]{16}$/;

/** A function's name as its author wrote it, as far as that can be told; else as it is. */
export function readableName(name: string): string {
  const bare = name.replace(FILE, '');
  const mangled = bare.replace(FILE, '');
  if (mangled.startsWith('_ZN')) return itanium(mangled) ?? bare;
  if (mangled.startsWith('_R')) return rust(mangled) ?? bare;
  return bare;
}

/** The nested name of the Itanium C++ ABI (5.1.2): `_ZN` and identifiers with their lengths before them. */
function itanium(mangled: string): string | null {
  const parts: string[] = [];
  let at = 3;
  while (/[0-9]/.test(mangled[at] ?? '')) {
    const part = identifier(mangled, at);
    if (part === null) return null;
    parts.push(part.text);
    at = part.end;
  }
  if (HASH.test(parts.at(-1) ?? '')) parts.pop();
  return parts.length === 0 ? null : parts.map(unescapeRust).join('::');
}

function identifier(mangled: string, at: number): { text: string; end: number } | null {
  const digits = /^[0-9]+/.exec(mangled.slice(at, at + 5))?.[0];
  if (digits === undefined) return null;
  let start = at + digits.length;
  // Rust puts `_` between a length and an identifier that begins with a digit or `_`.
  if (mangled.startsWith('_R') && mangled[start] === '_') start++;
  const end = start + Number(digits);
  return end > mangled.length ? null : { text: mangled.slice(start, end), end };
}

/** Of the symbols that older Rust escapes, those that paths have. */
function unescapeRust(part: string): string {
  return part
    .replace(/^_\$/, '$')
    .replaceAll('..', '::')
    .replaceAll('$LT$', '<')
    .replaceAll('$GT$', '>')
    .replaceAll('$u20$', ' ')
    .replaceAll('$u7b$', '{')
    .replaceAll('$u7d$', '}')
    .replaceAll('$RF$', '&')
    .replaceAll('$C$', ',');
}

/** The plain paths of Rust's v0 mangling: `N` namespace path identifier, down to a crate. Null for generic ones. */
function rust(mangled: string): string | null {
  const nested = /^_R(?:N[a-zA-Z])+C/.exec(mangled)?.[0];
  if (nested === undefined) return null;
  const depth = (nested.match(/N/g) ?? []).length;
  const parts: string[] = [];
  let at = nested.length;
  for (let i = 0; i <= depth; i++) {
    // A disambiguator, in base 62.
    const skipped = /^s[0-9a-zA-Z]*_/.exec(mangled.slice(at))?.[0] ?? '';
    const part = identifier(mangled, at + skipped.length);
    if (part === null) return null;
    if (part.text !== '') parts.push(part.text);
    at = part.end;
  }
  return parts.join('::');
}
