import { ByteWriter, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { fieldName, isQuotable } from '@weir/filters-sdk/assembly/fields';
import { AnswerField, TRANSPORT_SECURITY } from './answer-field';
import { readContentPolicy } from './content-policy';
import { STRICT } from './strict';

const CONTENT_POLICY = utf8('content-security-policy');
const CONTENT_POLICY_REPORT_ONLY = utf8('content-security-policy-report-only');
const DAY: i64 = 86_400_000;

const FRAME_OPTIONS = ['DENY', 'SAMEORIGIN'];
const REFERRER_POLICIES = [
  'no-referrer',
  'no-referrer-when-downgrade',
  'origin',
  'origin-when-cross-origin',
  'same-origin',
  'strict-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
];
const OPENER_POLICIES = ['same-origin', 'same-origin-allow-popups', 'noopener-allow-popups', 'unsafe-none'];
const EMBEDDER_POLICIES = ['require-corp', 'credentialless', 'unsafe-none'];
const RESOURCE_POLICIES = ['same-origin', 'same-site', 'cross-origin'];

export class SecurityConfig {
  readonly fields: AnswerField[] = [];
  readonly remove: ArrayBuffer[] = [];
  replaces: bool = false;
  /** TLS ended in front: every answer goes to a client with TLS. */
  alwaysSecure: bool = false;
  usesNonce: bool = false;
  /** Tells the upstream the nonce; empty: nothing does. */
  nonceHeader: ArrayBuffer = new ArrayBuffer(0);

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    if (config.choice('preset', ['none', 'strict']) == 1) this.addPreset(config.items('omit'));
    else if (config.member('omit') !== null)
      config.fault('omit', 'leaves out fields of a preset, and there is none');
    this.replaces = config.boolean('override', false);
    if (config.has('hsts')) this.put(this.readTransportSecurity(config.object('hsts')));
    if (config.has('contentSecurityPolicy'))
      this.put(readContentPolicy(config.object('contentSecurityPolicy'), CONTENT_POLICY));
    if (config.has('contentSecurityPolicyReportOnly'))
      this.put(
        readContentPolicy(config.object('contentSecurityPolicyReportOnly'), CONTENT_POLICY_REPORT_ONLY),
      );
    this.readNonce(config);
    if (config.has('reportingEndpoints')) this.readEndpoints(config.object('reportingEndpoints'));
    if (config.has('permissionsPolicy')) this.readPermissions(config.object('permissionsPolicy'));
    if (config.boolean('contentTypeOptions', false)) this.putText('x-content-type-options', 'nosniff');
    this.readWord(config, 'frameOptions', 'x-frame-options', FRAME_OPTIONS);
    this.readWord(config, 'referrerPolicy', 'referrer-policy', REFERRER_POLICIES);
    this.readWord(config, 'crossOriginOpenerPolicy', 'cross-origin-opener-policy', OPENER_POLICIES);
    this.readWord(config, 'crossOriginEmbedderPolicy', 'cross-origin-embedder-policy', EMBEDDER_POLICIES);
    this.readWord(config, 'crossOriginResourcePolicy', 'cross-origin-resource-policy', RESOURCE_POLICIES);
    this.readRemove(config);
    return config.end();
  }

  private addPreset(omitted: JsonValue[]): void {
    for (let i = 0; i < STRICT.length; i += 2) this.putText(STRICT[i], STRICT[i + 1]);
    for (let i = 0; i < omitted.length; i++) {
      const item = omitted[i];
      const at = item.kind == JsonKind.String ? this.indexOf(item.text) : -1;
      if (at < 0) faultAt(item, 'no field of the preset');
      else this.fields.splice(at, 1);
    }
  }

  private indexOf(name: ArrayBuffer): i32 {
    for (let i = 0; i < this.fields.length; i++) if (view(this.fields[i].name).equals(name)) return i;
    return -1;
  }

  /** In place of the preset's. */
  private put(field: AnswerField): void {
    const at = this.indexOf(field.name);
    if (at < 0) this.fields.push(field);
    else this.fields[at] = field;
  }

  private putText(name: string, value: string): void {
    const known = view(TRANSPORT_SECURITY).equals(name) ? TRANSPORT_SECURITY : utf8(name);
    this.put(AnswerField.of(known, utf8(value)));
  }

  private readWord(config: Config, member: string, field: string, words: string[]): void {
    if (config.has(member)) this.putText(field, words[config.choice(member, words)]);
  }

  private readTransportSecurity(config: Config): AnswerField {
    const age = config.duration('maxAge', 0, 3650 * DAY, 730 * DAY);
    const subdomains = config.boolean('includeSubDomains', true);
    const preload = config.boolean('preload', false);
    this.alwaysSecure = config.boolean('always', false);
    // What the lists of browsers ask for; anything else they take out again.
    if (preload && (!subdomains || age < 365 * DAY))
      config.fault('preload', 'needs includeSubDomains and a maxAge of at least a year (365d)');
    const text = new ByteWriter(64).add('max-age=').addNumber(age / 1000);
    if (subdomains) text.add('; includeSubDomains');
    if (preload) text.add('; preload');
    return AnswerField.of(TRANSPORT_SECURITY, text.copy());
  }

  private readNonce(config: Config): void {
    for (let i = 0; i < this.fields.length; i++) if (this.fields[i].hasNonce) this.usesNonce = true;
    if (!config.has('nonceHeader')) return;
    const name = fieldName(config.text('nonceHeader'));
    if (name === null) config.fault('nonceHeader', 'must be the name of a field that filters may change');
    else this.nonceHeader = name;
    if (!this.usesNonce) config.fault('nonceHeader', 'no directive has ${nonce}');
  }

  /** `name="https://…"` (Reporting API, section 3.2). */
  private readEndpoints(config: Config): void {
    const items = config.all();
    const text = new ByteWriter();
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (item.kind != JsonKind.String || !view(item.text).startsWith('https://') || !isQuotable(item.text))
        faultAt(item, 'expected an address that begins with https://');
      if (!isKey(item.name))
        faultAt(item, 'the name must be lower-case letters, digits and "-", a letter first');
      if (i > 0) text.add(', ');
      text.add(item.name).add('="').add(item.text).addByte(34);
    }
    this.put(AnswerField.of(utf8('reporting-endpoints'), text.copy()));
  }

  /** `camera=(), geolocation=(self "https://a.test")` (Permissions Policy, section 5.2). */
  private readPermissions(config: Config): void {
    const features = config.all();
    const text = new ByteWriter();
    for (let i = 0; i < features.length; i++) {
      const feature = features[i];
      if (!isKey(feature.name))
        faultAt(feature, 'the name must be lower-case letters, digits and "-", a letter first');
      if (feature.kind != JsonKind.Array)
        faultAt(feature, 'expected a list of origins; an empty one allows none');
      if (i > 0) text.add(', ');
      text.add(feature.name).add('=(');
      for (let k = 0; k < feature.items.length; k++) {
        const origin = feature.items[k];
        if (k > 0) text.addByte(32);
        if (origin.is('self') || origin.is('*')) text.add(origin.text);
        else if (
          origin.kind == JsonKind.String &&
          view(origin.text).indexOfBytes('://') > 0 &&
          isQuotable(origin.text)
        )
          text.addByte(34).add(origin.text).addByte(34);
        else faultAt(origin, 'expected self, * or an origin such as https://a.example');
      }
      text.addByte(41);
    }
    this.put(AnswerField.of(utf8('permissions-policy'), text.copy()));
  }

  private readRemove(config: Config): void {
    if (!config.has('remove')) {
      this.remove.push(utf8('server'));
      this.remove.push(utf8('x-powered-by'));
      return;
    }
    const items = config.items('remove');
    for (let i = 0; i < items.length; i++) {
      const name = items[i].kind == JsonKind.String ? fieldName(items[i].text) : null;
      if (name === null) faultAt(items[i], 'not the name of a field that filters may change');
      else this.remove.push(name);
    }
  }
}

/** A key of a structured field (RFC 8941, section 3.1.2) as these have them. */
function isKey(name: ArrayBuffer): bool {
  const bytes = view(name);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.at(i);
    if (<u32>(byte - 97) < 26) continue;
    if (i == 0 || (byte != 45 && <u32>(byte - 48) > 9)) return false;
  }
  return bytes.length > 0;
}
