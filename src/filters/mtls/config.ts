import { Reply, view } from '@weir/filters-sdk/assembly';
import { Config, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Consumer, readNotAfter } from '@weir/filters-sdk/assembly/consumer';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { Identities, Identity, Part } from './identities';

const NONE = new ArrayBuffer(0);
const FIELDS = ['dns', 'uri', 'subject', 'sha256', 'spiffe'];
const SPIFFE = 4;

export class MtlsConfig {
  identities: Identities = new Identities();
  /** 0: the connection's certificate; else the element from the right of X-Forwarded-Client-Cert. */
  forwarded: i32 = 0;
  /** Empty: no header. */
  consumerHeader: ArrayBuffer = NONE;
  missing: Reply = refusal('a client certificate is required', 'mtls_missing');
  unknown: Reply = refusal('the client certificate is of nobody known here', 'mtls_unknown');
  ambiguous: Reply = refusal('the client certificate is of nobody known here', 'mtls_ambiguous');

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    // An empty list is what weir makes of Consumers where there are none: nobody is admitted.
    const identities = config.items('identities');
    if (!config.has('identities')) faultAt(config.value, '"identities" is required');
    for (let i = 0; i < identities.length; i++) this.readIdentity(identities[i]);
    this.forwarded = <i32>config.integer('forwarded', 0, 16, 0);
    if (config.has('consumerHeader')) {
      const name = fieldName(config.text('consumerHeader'));
      if (name === null) config.fault('consumerHeader', 'not the name of a field that filters may change');
      else this.consumerHeader = name;
    }
    return config.end();
  }

  private readIdentity(value: JsonValue): void {
    const config = Config.of(value);
    const identity = new Identity(Consumer.read(config), readNotAfter(config));
    let given = -1;
    let count = 0;
    for (let i = 0; i < FIELDS.length; i++) {
      if (!config.has(FIELDS[i])) continue;
      given = i;
      count++;
    }
    if (count != 1) {
      faultAt(value, 'expected one of "dns", "uri", "spiffe", "subject" and "sha256"');
      return;
    }
    const text = config.text(FIELDS[given]);
    if (text.byteLength == 0) config.fault(FIELDS[given], 'is empty');
    else if (given != SPIFFE) this.add(value, <Part>given, lowered(text, given), identity);
    else if (!isSpiffe(text))
      config.fault('spiffe', 'expected spiffe://trust.domain/path, with * for a segment');
    else if (view(text).indexOf(42) < 0) this.add(value, Part.Uri, text, identity);
    else this.identities.addPattern(text, identity);
    config.end();
  }

  private add(value: JsonValue, part: Part, text: ArrayBuffer, identity: Identity): void {
    if (!this.identities.add(part, text, identity)) faultAt(value, 'this one stands in the list already');
  }
}

/** Names of hosts and digests are the same in any case. */
function lowered(text: ArrayBuffer, field: i32): ArrayBuffer {
  if (field != <i32>Part.Dns && field != <i32>Part.Sha256) return text;
  return String.UTF8.encode(String.UTF8.decode(text).toLowerCase());
}

/** The trust domain stands for itself; a star is a whole segment, two are all that is left. */
function isSpiffe(text: ArrayBuffer): bool {
  const id = view(text);
  if (!id.startsWith('spiffe://')) return false;
  let start = 9;
  let first = true;
  while (start <= id.length) {
    const slash = id.indexOf(47, start);
    const end = slash < 0 ? id.length : slash;
    const segment = id.slice(start, end);
    if (segment.length == 0) return false;
    const stars = segment.equals('*') || (segment.equals('**') && slash < 0);
    if (segment.indexOf(42) >= 0 && (first || !stars)) return false;
    if (slash < 0) return true;
    first = false;
    start = end + 1;
  }
  return false;
}

function refusal(text: string, details: string): Reply {
  return Reply.problem(403, 'Forbidden', text, details);
}
