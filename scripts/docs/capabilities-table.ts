import { CAPABILITIES } from '../../src/runtime/wasm/capabilities.ts';

/** docs/capabilities.md: what a module may be granted, and the host functions behind each word. */
export function capabilitiesMarkdown(generated: string): string {
  return `${[
    '# Capabilities',
    '',
    generated,
    '',
    '`capabilities` of a [Module](configuration.md#module) is the whole list of what its filters may do. A',
    'module that says nothing has those marked as default; the word `default` stands for them in a list, so',
    '`[default, secrets]` adds one. Logging, the clock, random bytes, its own configuration, contexts and',
    'resuming a stream need none.',
    '',
    '| Capability | Default | Grants | Host functions |',
    '| --- | --- | --- | --- |',
    ...CAPABILITIES.map(
      ({ name, byDefault, grants, functions, messageFunctions }) =>
        `| \`${name}\` | ${byDefault ? 'yes' : ''} | ${grants} | ${[...messageFunctions, ...functions]
          .map((each) => `\`${each}\``)
          .join(' ')} |`,
    ),
    '',
    'Functions that read fields and buffers need `headers` and `body` for the message alone, not for answers',
    'of callouts.',
    '',
    'A module that imports a function which it is not granted loads all the same, since compilers import what',
    'is never called. A call answers `InternalFailure`, as Envoy does for a restricted capability, and is',
    'logged once.',
    '',
    'Fields that are hidden for want of `secrets` are not found, and are left out of maps and properties.',
    'They can still be set and removed. Where a guest replaces a whole map, those that its list does not name',
    'stay. The number of fields that callbacks are told counts them.',
    '',
    'Built-in filters have what `x-weir-capabilities` of their schema says.',
  ].join('\n')}\n`;
}
