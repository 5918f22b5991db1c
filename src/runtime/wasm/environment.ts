import type { VariableSpec } from '../snapshot.ts';

/**
 * What guests read with `environ_get`: `KEY=value` and a NUL each.
 *
 * @param host where variables without a value of their own come from; those that it lacks are left out
 */
export function environmentOf(
  variables: readonly VariableSpec[],
  host: Readonly<Record<string, string | undefined>>,
): readonly Uint8Array[] {
  return variables.flatMap(({ name, value }) => {
    const text = value ?? host[name];
    return text === undefined ? [] : [Buffer.from(`${name}=${text}\0`)];
  });
}
