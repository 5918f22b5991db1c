import { createHash } from 'node:crypto';
import type { Snapshot } from '../runtime/snapshot.ts';
import { EVERYTHING, isSecretMember } from '../runtime/wasm/tap/configuration.ts';

/**
 * A snapshot that may be shown: private keys, and what is a secret in filter configurations or looks like one,
 * is replaced.
 */
export function redactSnapshot(snapshot: Snapshot): unknown {
  return {
    ...snapshot,
    ports: snapshot.ports.map((port) => ({
      ...port,
      listeners: port.listeners.map((listener) => ({
        ...listener,
        certificates: listener.certificates.map((certificate) => ({ ...certificate, keyPem: '[redacted]' })),
      })),
    })),
    plugins: snapshot.plugins.map((plugin) => ({
      ...plugin,
      configuration: redactText(plugin.configuration, plugin.secretFields ?? []),
      ...(plugin.store === undefined
        ? {}
        : {
            store: { ...plugin.store, password: plugin.store.password === null ? null : '[redacted]' },
          }),
      vmConfiguration: redactText(plugin.vmConfiguration, []),
      environment: plugin.environment.map(({ name, value }) => ({
        name,
        value: value === null ? null : '[redacted]',
      })),
    })),
  };
}

/** JSON with its secrets replaced; of other text only its size and digest are told. */
function redactText(text: string, secrets: readonly string[]): unknown {
  if (text === '') return '';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `[${Buffer.byteLength(text)} bytes, sha256 ${createHash('sha256').update(text).digest('hex').slice(0, 12)}]`;
  }
  return redactValue(value, secrets, secrets.includes(EVERYTHING));
}

function redactValue(value: unknown, secrets: readonly string[], secret: boolean): unknown {
  if (typeof value === 'string') return secret ? '[redacted]' : value;
  if (Array.isArray(value)) return value.map((each) => redactValue(each, secrets, secret));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      secrets.includes(name)
        ? '[redacted]'
        : redactValue(each, secrets, secret || isSecretMember(name, secrets)),
    ]),
  );
}
