// Admits requests by the client's certificate. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  RootContext,
  StreamContext,
  booleanProperty,
  property,
  propertyPath,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { removeSpellingsOf } from '@weir/filters-sdk/assembly/fields';
import { PeerNames, dnsNames, uriNames } from '@weir/filters-sdk/assembly/peer-names';
import { MtlsConfig } from './config';
import { elementOf, matchElement } from './forwarded';
import { Identities, Part } from './identities';

const FORWARDED = utf8('x-forwarded-client-cert');
const MTLS = propertyPath('connection.mtls');
const SUBJECT = propertyPath('connection.subject_peer_certificate');
const DIGEST = propertyPath('connection.sha256_peer_certificate_digest');

const field = new ByteWriter(512);

class MtlsRoot extends RootContext {
  private stream: Mtls = new Mtls(new MtlsConfig());

  onConfigure(configuration: ArrayBuffer): bool {
    const config = new MtlsConfig();
    this.stream = new Mtls(config);
    return config.read(configuration);
  }

  /** One object serves all streams: it keeps nothing of them between callbacks. */
  createStream(): StreamContext {
    return this.stream;
  }
}

class Mtls extends StreamContext {
  constructor(private config: MtlsConfig) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    const identities = config.identities;
    identities.begin();
    const shown =
      config.forwarded == 0 ? lookAtConnection(identities) : lookAtField(identities, config.forwarded);
    if (!shown) return config.missing.send();
    if (identities.ambiguous) return config.ambiguous.send();
    const consumer = identities.consumer;
    if (consumer === null) return config.unknown.send();
    const header = config.consumerHeader;
    if (header.byteLength > 0) {
      removeSpellingsOf(header);
      requestHeaders.set(header, consumer.name);
    }
    consumer.announce();
    return Action.Continue;
  }
}

/** @returns false where the client has shown no certificate that is valid */
function lookAtConnection(identities: Identities): bool {
  if (!booleanProperty(MTLS, false)) return false;
  if (identities.has(Part.Dns)) lookAtNames(identities, Part.Dns, dnsNames());
  if (identities.has(Part.Uri)) lookAtNames(identities, Part.Uri, uriNames());
  if (identities.has(Part.Subject)) lookAt(identities, Part.Subject, SUBJECT);
  if (identities.has(Part.Sha256)) lookAt(identities, Part.Sha256, DIGEST);
  return true;
}

function lookAtNames(identities: Identities, part: Part, names: PeerNames): void {
  while (names.next()) identities.match(part, names.name);
}

function lookAt(identities: Identities, part: Part, path: ArrayBuffer): void {
  const value = property(path);
  if (value !== null && value.length > 0) identities.match(part, value);
}

/** @returns false where the field has not so many elements */
function lookAtField(identities: Identities, fromRight: i32): bool {
  field.clear();
  const fields = requestHeaders.all();
  while (fields.next()) {
    if (!fields.name.equals(FORWARDED)) continue;
    if (field.length > 0) field.addByte(44);
    field.add(fields.value);
  }
  if (field.length == 0) return false;
  const element = elementOf(field.view(), fromRight);
  if (element === null) return false;
  matchElement(element, identities);
  return true;
}

registerRoot(new MtlsRoot());
