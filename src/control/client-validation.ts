import type { ClientValidationSpec } from '../runtime/snapshot.ts';
import { isPassthrough, type BoundListener } from './attach.ts';
import { storedBundle } from './authorities.ts';
import { groupOf } from './clusters.ts';
import type { Config } from './config.ts';
import { isGranted } from './grants.ts';

/** How the port of a listener looks at certificates of clients: `spec.tls.frontend` of its Gateway; null: it asks for none. */
export function clientValidationOf(
  config: Config,
  { gateway, config: listener }: BoundListener,
): ClientValidationSpec | null {
  const frontend = gateway.value.spec.tls?.frontend;
  if (frontend === undefined || listener.tls === undefined || isPassthrough(listener)) return null;
  const index = frontend.perPort.findIndex(({ port }) => port === listener.port);
  const path = [
    'spec',
    'tls',
    'frontend',
    ...(index < 0 ? ['default'] : ['perPort', index, 'tls']),
    'validation',
  ];
  const { validation } = index < 0 ? frontend.default : frontend.perPort[index]!.tls;
  if (validation === undefined) return null;
  const bundles = validation.caCertificateRefs.map(({ group, kind, namespace, name }, i) => {
    const at = [...path, 'caCertificateRefs', i];
    const to = { group, kind, namespace: namespace ?? gateway.namespace, name };
    const from = {
      group: groupOf(gateway),
      kind: 'Gateway',
      namespace: gateway.namespace,
      name: gateway.name,
    };
    if (!isGranted(config, from, to)) {
      const message = `caCertificateRef ${kind} ${to.namespace}/${name} is in another namespace and no ReferenceGrant there allows it`;
      config.report(gateway, 'WEIR2104', [...at, 'namespace'], message);
      return '';
    }
    return storedBundle(config, gateway, at, { kind, namespace: to.namespace, name }) ?? '';
  });
  return {
    // Without one that can be used nobody is let in, and what is wrong has been reported.
    authoritiesPem: bundles.join('\n'),
    required: validation.mode === 'AllowValidOnly',
  };
}
