// Writes the documents that are made from the code: docs/configuration.md, docs/errors.md,
// docs/abi.md, docs/built-in-filters.md, docs/capabilities.md, docs/metrics.md, docs/cli.md and docs/schemas/. With --check it only compares, and
// exits 1 where one is out of date.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../src/errors.ts';
import { abiMarkdown } from './docs/abi-table.ts';
import { limitsMarkdown } from './docs/authoring-limits.ts';
import { builtInFiltersMarkdown } from './docs/built-in-filters.ts';
import { capabilitiesMarkdown } from './docs/capabilities-table.ts';
import { commandsMarkdown } from './docs/commands.ts';
import { foreignMarkdown } from './docs/foreign-table.ts';
import { metricsMarkdown } from './docs/metrics-table.ts';
import { propertiesMarkdown } from './docs/properties-table.ts';
import { sdkReference } from './docs/sdk-reference.ts';
import { describeFields, type FieldRow } from '../src/control/schema/describe.ts';
import { combinedSchema, kindSchema } from '../src/control/schema/json-schema.ts';
import { KINDS, versionsOf, type KindName } from '../src/control/schema/kind.ts';

const GENERATED = '<!-- Made by `npm run docs`; change the code it is made from, not this file. -->';

/** Paths from the root of the repository, with what each file must hold. */
export async function generatedDocuments(): Promise<Map<string, string>> {
  const documents = new Map<string, string>();
  documents.set('docs/configuration.md', configurationPage());
  documents.set('docs/errors.md', errorsPage());
  documents.set('docs/abi.md', abiMarkdown(GENERATED));
  documents.set('docs/built-in-filters.md', await builtInFiltersMarkdown(GENERATED));
  documents.set('docs/capabilities.md', capabilitiesMarkdown(GENERATED));
  documents.set('docs/foreign-functions.md', foreignMarkdown(GENERATED));
  documents.set('docs/properties.md', propertiesMarkdown(GENERATED));
  documents.set('docs/cli.md', await commandsMarkdown(GENERATED));
  documents.set('docs/metrics.md', await metricsMarkdown(GENERATED));
  documents.set('docs/authoring/api.md', sdkReference(GENERATED));
  documents.set('docs/authoring/limits.md', limitsMarkdown(GENERATED));
  for (const kind of Object.keys(KINDS) as KindName[]) {
    documents.set(`docs/schemas/${kind.toLowerCase()}.json`, json(kindSchema(kind)));
  }
  documents.set('docs/schemas/weir.json', json(combinedSchema()));
  return documents;
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const GROUPS = [
  ['WEIR10', 'Text and shape'],
  ['WEIR12', 'Modules and filters'],
  ['WEIR13', 'Certificates'],
  ['WEIR20', 'Objects that contradict each other'],
  ['WEIR21', 'References'],
  ['WEIR30', 'Warnings'],
  ['WEIR40', 'Refused when it was tried'],
] as const;

function errorsPage(): string {
  const lines = [
    '# Errors',
    '',
    GENERATED,
    '',
    '`weir check` and `weir run` report everything that is wrong with a configuration in one run, each',
    'fault with its file, line and column, a code, and the nearest fix. `weir explain WEIR2101` prints the',
    'entry of a code. Messages may change in any release; codes keep their meaning.',
    '',
    'An error keeps the configuration from being applied: `weir run` does not start with it, and a running',
    'weir goes on serving the last good one. A warning does not.',
  ];
  for (const [prefix, title] of GROUPS) {
    lines.push('', `## ${title}`);
    for (const [code, entry] of Object.entries(ERRORS)) {
      if (!code.startsWith(prefix)) continue;
      lines.push(
        '',
        `### ${code}: ${entry.title}`,
        '',
        entry.explanation,
        '',
        `**What to do:** ${entry.fix}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function configurationPage(): string {
  const lines = [INTRODUCTION.trim()];
  lines.push('', '## Kinds', '', '| Kind | apiVersion | |', '| --- | --- | --- |');
  const kinds = Object.keys(KINDS) as KindName[];
  for (const kind of kinds) {
    const versions = versionsOf(kind).join(', ');
    lines.push(`| [${kind}](#${kind.toLowerCase()}) | ${versions} | ${KINDS[kind].description ?? ''} |`);
  }
  lines.push('', '## metadata', '', 'The same in every kind.', '');
  lines.push(
    ...table(describeFields(KINDS.Gateway.shape.metadata).filter((row) => row.description !== 'Ignored.')),
  );
  lines.push(
    '',
    'What an API server adds (uid, resourceVersion, managedFields and so on) is accepted and ignored.',
  );
  for (const kind of kinds) lines.push(...kindSection(kind));
  return `${lines.join('\n')}\n`;
}

function kindSection(kind: KindName): string[] {
  const lines = ['', `## ${kind}`, '', KINDS[kind].description ?? ''];
  lines.push(
    '',
    `\`apiVersion: ${versionsOf(kind)[0]}\` ([JSON Schema](schemas/${kind.toLowerCase()}.json))`,
    '',
  );
  const envelope = /^(apiVersion|kind|status|metadata\b.*)$/;
  const rows = describeFields(KINDS[kind]).filter((row) => !envelope.test(row.path) && row.path !== 'spec');
  const known = rows.filter((row) => !row.unsupported && row.description !== 'Ignored.');
  lines.push(...(known.length > 0 ? table(known) : ['It has no fields that weir reads.']));
  const names = (list: readonly FieldRow[]) =>
    list.map((row) => `\`${row.path.replace(/^spec\./, '')}\``).join(', ');
  const ignored = rows.filter((row) => row.description === 'Ignored.');
  if (ignored.length > 0) lines.push('', `Accepted and ignored: ${names(ignored)}.`);
  const unsupported = rows.filter((row) => row.unsupported);
  if (unsupported.length > 0)
    lines.push('', `Known, and refused until they are supported (WEIR1045): ${names(unsupported)}.`);
  return lines;
}

function table(rows: readonly FieldRow[]): string[] {
  const lines = ['| Field | Type | Default | |', '| --- | --- | --- | --- |'];
  for (const row of rows) {
    const path = row.path.replace(/^spec\./, '');
    const fallback = row.required ? '*required*' : row.default === '' ? '' : `\`${row.default}\``;
    lines.push(`| \`${path}\` | ${row.type} | ${fallback} | ${row.description.replaceAll('|', '\\|')} |`);
  }
  return lines;
}

const INTRODUCTION = `
# Configuration

${GENERATED}

Weir reads Kubernetes objects from YAML files: the Gateway API as the standard has it, and kinds of its
own in the group \`policy.weir\` for what the standard lacks. \`weir run -f PATH…\` takes files, and folders
with all \`*.yaml\` and \`*.yml\` below them; how objects are split over files makes no difference.
\`weir check PATH…\` reports what is wrong without serving ([errors.md](errors.md)).

## Rules for all kinds

- **Strict.** An unknown field, a wrong type, a value out of range or a reference to something that is
  not declared is an error, and nothing is applied. What exists in the standard but not in this version
  is an error of its own (WEIR1045, WEIR1012), so that it is not taken for a spelling mistake.
- **YAML 1.2**: \`yes\` and \`on\` are text, keys are text, a key that is written twice is an error. At most
  100 aliases and 64 levels a document, 8 MiB a file.
- **Durations** are written as in the Gateway API: \`250ms\`, \`3s\`, \`1h30m\`. **Sizes**: \`512\`, \`64Ki\`, \`1Mi\`.
- **Paths of files** (\`source.file\`, \`ca.file\`, certificates) are relative to the YAML file that names them.
- **References** stay in the namespace of the object, or need a ReferenceGrant in the other one. An object
  without namespace is in \`default\`. Policies attach within their own namespace.
- **The version** of a configuration is the sha256 of what it compiles to, with the digests of modules and
  without positions in files: comments, and the way objects are split over files, do not change it.

## Which route takes a request

1. The listener of the address and port with the most specific hostname that fits: exact, then the longest
   wildcard, then none. \`*.example.com\` stands for every name below example.com, with any number of labels.
2. In it, the most specific hostname of the routes, in the same order. Matches of less specific hostnames
   that fit too come after all of its own.
3. Among matches of one hostname: path Exact, then RegularExpression, then PathPrefix; the longer path; one
   with a method; more headers; more query parameters; the route with the older creationTimestamp;
   namespace and name; the order in the route.

Paths are compared after normalisation. A regular expression must match the whole path or value; it runs
in linear time, so it has no look-around and no back-references. A request that no route takes gets 404.
A rule without a usable backend, and the share of a backend that does not resolve, get 500; an upstream
without a usable endpoint gets 503.

## How policies merge

Scopes from outside in: *Gateway → listener → route → rule*.

1. **Chains concatenate.** The chain of a request is all FilterChains attached to its scopes, outer scope
   first, each in written order; answers pass it backwards. Chains that a rule names by ExtensionRef come
   last. A chain that is attached at several scopes runs once, at the outermost. \`placement\` puts a chain
   before or after one filter of an outer chain. \`inherit: false\` on a route or rule cuts off the chains of
   outer scopes, except those that say \`enforced: true\`.
2. **Policies merge by field; the inner scope wins**, except for fields that an outer policy lists under
   \`enforced\`: changing those inside is an error (WEIR2004). Timeouts and retries that an HTTPRoute sets on a
   rule count as a policy on that rule.
3. **Same kind, same target, same field, different value is an error** (WEIR2003), never "oldest wins".
   Equal values are fine. Two FilterChains on one target must say by \`placement\` which comes first.

## TCP

A listener of protocol TCP, or of TLS that ends here, gives its connections to one TCPRoute, by the server name that the
client asks for where there is TLS. Each connection goes to one of the route's backends, by weight; a Service or an Upstream
is what it is for HTTP, \`tls\` of an Upstream included. Scopes are *Gateway → listener → route → rule*, as above.
FilterChains hold ([filters.md](filter-tcp.md)), and of a TrafficPolicy \`timeouts.idle\` and \`retry\`, by which
connecting is tried again; of a ListenerPolicy \`limits.connections\`, \`limits.connectionsPerAddress\`,
\`timeouts.tlsHandshake\`, \`timeouts.write\` and \`tls\`. A connection counts as a request against \`limits.requests\` of
the Upstream, and beyond it or \`limits.connections\` it is closed at once. So it is where no endpoint can be reached, and
where the backend does not resolve.

With \`tls: {mode: Passthrough}\` TLS ends at the upstream. Weir reads the server name in the client's first message and
changes nothing; TLSRoutes of the listener take connections by their \`hostnames\`, the most specific first, and what none
of them takes is closed, as is what is no TLS. Filters see encrypted bytes.

## Certificates of HTTPS and TLS listeners

\`certificateRefs\` name a Secret of type kubernetes.io/tls, with \`tls.crt\` and \`tls.key\` in \`data\` (base64) or
\`stringData\` (plain), or a [Certificate](#certificate), which names files:

\`\`\`yaml
apiVersion: policy.weir/v1alpha1
kind: Certificate
metadata: {name: wildcard}
spec:
  certificate: {file: tls/wildcard.crt}
  privateKey: {file: tls/wildcard.key}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners:
  - name: https
    port: 8443
    protocol: HTTPS
    tls: {certificateRefs: [{group: policy.weir, kind: Certificate, name: wildcard}]}
\`\`\`

A private key file that every user of the machine can read is refused. Certificates are read again when
their files change.

## Editors

[schemas/weir.json](schemas/weir.json) is a JSON Schema for files with any of the kinds; there is one for
each kind beside it. For the YAML language server, put this on the first line of a file:

\`\`\`yaml
# yaml-language-server: $schema=PATH/TO/weir/docs/schemas/weir.json
\`\`\`
`;

const root = fileURLToPath(new URL('../', import.meta.url));

async function main(checkOnly: boolean): Promise<void> {
  for (const [path, text] of await generatedDocuments()) {
    const file = join(root, path);
    const before = await readFile(file, 'utf8').catch(() => null);
    if (before === text) continue;
    if (checkOnly) {
      process.stdout.write(`${path} is out of date: npm run docs\n`);
      process.exitCode = 1;
      continue;
    }
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    process.stdout.write(`wrote ${path}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--check'));
