import { Bytes, Reply, logWarn, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { JsonLimits } from '@weir/filters-sdk/assembly/json-scan';
import { Content, Operation } from './operation';
import { Parameter } from './parameters';
import { Schema, SchemaState } from './schema';

const NONE = new ArrayBuffer(0);

/** What happens to an answer that is not as its schema says. */
export enum ResponseMode {
  Off,
  Deny,
  Log,
}

export class ValidateConfig {
  maxBytes: i32 = 0;
  limits: JsonLimits | null = null;
  operations: Operation[] = [];
  /** The operations are all that there are: other paths and methods are refused. */
  closed: bool = false;
  /** A parameter of the query that is not declared is refused. */
  strictQuery: bool = false;
  responses: ResponseMode = ResponseMode.Off;
  /** Faults that an answer lists. */
  faults: i32 = 8;
  private checksLimitsAlone: bool = false;

  unknownPath: Reply = Reply.problem(404, 'Not Found', 'the API has no such path', 'validate_path');
  tooLarge: Reply = Reply.problem(413, 'Content Too Large', 'the body is too large', 'validate_size');
  mediaType: Reply = Reply.problem(
    415,
    'Unsupported Media Type',
    'bodies of this type or coding are not taken here',
    'validate_media_type',
  );
  noBody: Reply = Reply.problem(400, 'Bad Request', 'the request needs a body', 'validate_body');
  unexpectedBody: Reply = Reply.problem(
    400,
    'Bad Request',
    'the request takes no body',
    'validate_unexpected_body',
  );
  badAnswer: Reply = Reply.problem(
    502,
    'Bad Gateway',
    'the answer of the upstream is not as the API says',
    'validate_response',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.readLimits(config.object('body', true));
    // Before any schema is opened.
    this.checksLimitsAlone = config.choice('whereMissing', ['Refuse', 'Allow']) == 1;
    this.faults = <i32>config.integer('faults', 1, 32, 8);
    this.strictQuery = config.choice('unknownQueryParameters', ['Allow', 'Deny']) == 1;
    if (config.has('response'))
      this.responses =
        config.object('response').choice('mode', ['Deny', 'Log']) == 0 ? ResponseMode.Deny : ResponseMode.Log;
    if (config.has('rules') == config.has('openapi'))
      faultAt(config.value, 'expected one of: rules, openapi');
    const rules = config.items('rules');
    for (let i = 0; i < rules.length; i++) this.readRule(rules[i], i);
    if (config.has('openapi')) this.readOpenApi(config);
    return config.end();
  }

  private readLimits(body: Config): void {
    this.maxBytes = <i32>body.integer('maxBytes', 1, 1_000_000, 0);
    const depth = <i32>body.integer('maxDepth', 1, 128, 32);
    const keys = <i32>body.integer('maxKeys', 1, 65_536, 1000);
    const text = <i32>body.integer('maxStringBytes', 1, 1_000_000, 65_536);
    this.limits = new JsonLimits(depth, keys, text);
  }

  private readRule(item: JsonValue, index: i32): void {
    const rule = Config.of(item);
    const path = rule.text('path');
    if (path.byteLength == 0 || view(path).at(0) != 47) rule.fault('path', 'expected a path');
    const operation = new Operation(path);
    const methods = rule.items('methods');
    for (let i = 0; i < methods.length; i++) {
      if (methods[i].kind != JsonKind.String) faultAt(methods[i], 'expected a string');
      operation.methods.push(methods[i].text);
    }
    operation.bodyRequired = rule.boolean('required', true);
    const at = '/rules/' + index.toString() + '/';
    const schema = rule.has('schema') ? this.open(rule.required('schema'), at + 'schema', '') : null;
    const types = rule.items('contentTypes');
    for (let i = 0; i < types.length; i++) {
      if (types[i].kind != JsonKind.String) faultAt(types[i], 'expected a string');
      operation.contents.push(new Content(types[i].text, schema));
    }
    if (types.length == 0)
      operation.contents.push(new Content(String.UTF8.encode('application/json'), schema));
    if (rule.has('responseSchema')) {
      const answer = this.open(rule.required('responseSchema'), at + 'responseSchema', '');
      operation.addResponse(
        String.UTF8.encode('2XX'),
        new Content(String.UTF8.encode('application/json'), answer),
      );
    }
    rule.end();
    this.operations.push(operation);
  }

  /** The document as weir hands it over: docs/adr/0225-openapi-compiled.md. */
  private readOpenApi(config: Config): void {
    const api = config.object('openapi');
    if (api.has('file')) {
      api.fault('file', 'weir reads the document; other hosts take rules');
      api.all();
      return;
    }
    this.closed = true;
    const schemas = api.required('schemas');
    const items = api.items('operations');
    for (let i = 0; i < items.length; i++)
      this.operations.push(this.operationOf(Config.of(items[i]), schemas));
  }

  private operationOf(config: Config, schemas: JsonValue | null): Operation {
    const operation = new Operation(config.text('path'));
    operation.methods.push(config.text('method'));
    const parameters = config.items('parameters');
    for (let i = 0; i < parameters.length; i++)
      operation.parameters.push(Parameter.of(Config.of(parameters[i])));
    if (config.has('checked')) operation.checked = this.openNamed(schemas, config.text('checked'));
    if (config.has('body')) {
      const body = config.object('body');
      operation.bodyRequired = body.boolean('required', false);
      this.readContents(body.items('content'), schemas, operation.contents);
    }
    const responses = config.items('responses');
    for (let i = 0; i < responses.length; i++) {
      const response = Config.of(responses[i]);
      const contents: Content[] = [];
      const status = response.text('status');
      this.readContents(response.items('content'), schemas, contents);
      for (let k = 0; k < contents.length; k++) operation.addResponse(status, contents[k]);
      response.end();
    }
    config.end();
    return operation;
  }

  private readContents(items: JsonValue[], schemas: JsonValue | null, into: Content[]): void {
    for (let i = 0; i < items.length; i++) {
      const content = Config.of(items[i]);
      const type = content.text('type');
      const schema = content.has('schema') ? this.openNamed(schemas, content.text('schema')) : null;
      into.push(new Content(type, schema));
      content.end();
    }
  }

  private openNamed(schemas: JsonValue | null, name: ArrayBuffer): Schema | null {
    return schemas === null ? null : this.open(schemas, '/openapi/schemas', String.UTF8.decode(name));
  }

  private open(value: JsonValue | null, pointer: string, fragment: string): Schema | null {
    if (value === null) return null;
    const schema = new Schema();
    const state = schema.open(pointer, fragment);
    if (state == SchemaState.Ready) return schema;
    if (state == SchemaState.Wrong)
      faultAt(value, 'this is no JSON Schema that can be used: the log says why');
    else if (!this.checksLimitsAlone)
      faultAt(value, 'this host cannot check schemas, and whereMissing is not Allow');
    else logWarn('this host cannot check schemas: only the limits of bodies are held');
    return null;
  }

  /** The operation of a request, chosen by its content type where several are for one path and method. */
  find(path: Bytes, method: Bytes, type: Bytes | null): Operation | null {
    let found: Operation | null = null;
    for (let i = 0; i < this.operations.length; i++) {
      const operation = this.operations[i];
      if (!operation.takes(method) || !operation.matches(path)) continue;
      if (this.closed || operation.contentOf(type) !== null) return operation;
      if (found === null) found = operation;
    }
    return found;
  }

  /** Methods of a path, for the field `allow`; empty: there is no such path. */
  allowed(path: Bytes): string {
    const names: string[] = [];
    for (let i = 0; i < this.operations.length; i++) {
      const operation = this.operations[i];
      if (!operation.matches(path)) continue;
      for (let k = 0; k < operation.methods.length; k++) {
        const name = String.UTF8.decode(operation.methods[k]);
        if (!names.includes(name)) names.push(name);
        if (name == 'GET' && !names.includes('HEAD')) names.push('HEAD');
      }
    }
    return names.join(', ');
  }
}
