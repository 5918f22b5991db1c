import { Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { fieldName, isFieldValue } from '@weir/filters-sdk/assembly/fields';
import { Template, parseTemplate, templateFault } from '@weir/filters-sdk/assembly/template';
import { Names } from './names';

/** Tells the upstream that nobody has decided about the request. */
export const FAILURE_ALLOWED = utf8('x-envoy-auth-failure-mode-allowed');

const NONE = new ArrayBuffer(0);
const MOST_BODY: i64 = 4_194_304;

/** A field that goes to the service beside those of the request. */
export class SentField {
  constructor(
    public name: ArrayBuffer,
    public value: Template,
  ) {}
}

export class ExtAuthzConfig {
  isGrpc: bool = false;
  upstream: ArrayBuffer = NONE;
  timeoutMs: u32 = 200;
  /** In front of the request's own path, for services of HTTP. */
  pathPrefix: ArrayBuffer = NONE;
  sent: SentField[] = [];
  /** Fields that the service sees; null: all. */
  allowed: Names | null = null;
  disallowed: Names = new Names();
  /** Of the answer of a service of HTTP: what goes into the request, in place of or beside what is there. */
  upstreamFields: Names = new Names();
  upstreamAppended: Names = new Names();
  /** What goes to the client with a refusal; null: all. */
  clientFields: Names | null = null;
  clientFieldsOnSuccess: Names = new Names();
  metadataFields: Names = new Names();
  /** Of the body, what the service gets; 0: nothing. */
  maxBody: i32 = 0;
  allowPartial: bool = false;
  rawBody: bool = false;
  statusOnError: i32 = 403;
  failOpen: bool = false;
  /** Names and values, one behind the other. */
  extensions: ArrayBuffer[] = [];
  tlsSession: bool = false;
  /** Fields that are the service's alone: what comes under these names from outside is taken out. */
  owned: ArrayBuffer[] = [];
  /** Where the service names the consumer: a field that it sets; or metadata. */
  consumerField: ArrayBuffer = NONE;
  consumerMetadata: ArrayBuffer = NONE;
  tooLarge: Reply = Reply.problem(
    413,
    'Content Too Large',
    'the body is larger than what is checked',
    'ext_authz_body_too_large',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.isGrpc = config.has('grpc');
    if (this.isGrpc == config.has('http')) faultAt(config.value, 'needs exactly one of "grpc" and "http"');
    if (this.isGrpc) this.readService(config.object('grpc'));
    else this.readHttp(config.object('http'));
    this.readFields(config);
    if (config.has('body')) this.readBody(config.object('body'));
    this.statusOnError = <i32>config.integer('statusOnError', 400, 599, 403);
    this.failOpen = config.boolean('failOpen', false);
    if (this.failOpen) this.owned.push(FAILURE_ALLOWED);
    this.tlsSession = config.boolean('tlsSession', false);
    this.readExtensions(config.object('contextExtensions').all());
    this.readConsumer(config.object('consumer'));
    return config.end();
  }

  private readService(service: Config): void {
    this.upstream = service.text('upstream');
    this.timeoutMs = <u32>service.duration('timeout', 1, 30_000, 200);
    const sent = service.object('headers').all();
    for (let i = 0; i < sent.length; i++) {
      const name = fieldName(sent[i].name);
      const value = sent[i].kind == JsonKind.String ? sent[i].text : NONE;
      const template = isFieldValue(value) ? parseTemplate(value) : null;
      if (name === null || sent[i].kind != JsonKind.String)
        faultAt(sent[i], 'expected the name of a field that filters may write, with its value');
      else if (template === null)
        faultAt(sent[i], isFieldValue(value) ? templateFault() : 'not a value of a field');
      else this.sent.push(new SentField(name, template));
    }
  }

  private readHttp(service: Config): void {
    this.readService(service);
    this.pathPrefix = service.text('pathPrefix', NONE);
    const prefix = view(this.pathPrefix);
    if (prefix.length > 0 && prefix.at(0) != 47) service.fault('pathPrefix', 'must begin with /');
    this.upstreamFields = Names.read(service.items('upstreamHeaders'));
    this.upstreamAppended = Names.read(service.items('upstreamHeadersToAppend'));
    if (service.has('clientHeaders')) {
      this.clientFields = Names.of(['www-authenticate', 'proxy-authenticate', 'location', 'content-type']);
      this.clientFields!.take(Names.read(service.items('clientHeaders')));
    }
    this.clientFieldsOnSuccess = Names.read(service.items('clientHeadersOnSuccess'));
    this.metadataFields = Names.read(service.items('metadataHeaders'));
  }

  private readFields(config: Config): void {
    if (!this.isGrpc) this.allowed = Names.of(['authorization']);
    else if (config.has('allowedHeaders')) this.allowed = new Names();
    const allowed = Names.read(config.items('allowedHeaders'));
    if (this.allowed !== null) this.allowed!.take(allowed);
    this.disallowed = Names.read(config.items('disallowedHeaders'));
    const owned = config.items('ownedHeaders');
    for (let i = 0; i < owned.length; i++) {
      const name = owned[i].kind == JsonKind.String ? fieldName(owned[i].text) : null;
      if (name === null) faultAt(owned[i], 'expected the name of a field that filters may change');
      else this.owned.push(name);
    }
  }

  private readBody(body: Config): void {
    this.maxBody = <i32>body.integer('maxBytes', 1, MOST_BODY, 0);
    this.allowPartial = body.boolean('allowPartial', false);
    this.rawBody = body.boolean('raw', false);
  }

  private readExtensions(members: JsonValue[]): void {
    for (let i = 0; i < members.length; i++) {
      if (members[i].kind != JsonKind.String) faultAt(members[i], 'expected a string');
      this.extensions.push(members[i].name);
      this.extensions.push(members[i].text);
    }
  }

  private readConsumer(consumer: Config): void {
    this.consumerMetadata = consumer.text('metadata', NONE);
    if (!consumer.has('header')) return;
    if (consumer.has('metadata')) consumer.fault('metadata', 'either "header" or "metadata", not both');
    const name = fieldName(consumer.text('header'));
    if (name === null) consumer.fault('header', 'expected the name of a field that filters may change');
    else {
      this.consumerField = name;
      // Else a client would say who it is where the service does not.
      this.owned.push(name);
    }
  }
}
