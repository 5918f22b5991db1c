// Looks at operations of GraphQL before a server does. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestBody,
  requestHeaders,
} from '@weir/filters-sdk/assembly';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { GraphqlConfig } from './config';
import { Refusal } from './refusal';
import { GraphqlRequest } from './request';

const refusal = new Refusal();
const parts = new Parts();
const name = new ByteWriter(32);

/** How the operation stands in the body. */
enum Form {
  None,
  Json,
  Document,
}

class GraphqlRoot extends RootContext {
  readonly config: GraphqlConfig = new GraphqlConfig();
  readonly get: GraphqlRequest = new GraphqlRequest(this.config, refusal, true);
  readonly post: GraphqlRequest = new GraphqlRequest(this.config, refusal, false);

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Graphql(this);
  }
}

class Graphql extends StreamContext {
  private form: Form = Form.None;

  constructor(private root: GraphqlRoot) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    const path = requestHeaders.get(':path');
    const method = requestHeaders.get(':method');
    if (path === null || method === null) return Action.Continue;
    const mark = path.indexOf(63);
    if (!this.root.config.isFor(mark < 0 ? path : path.slice(0, mark))) return Action.Continue;
    refusal.clear();
    // A preflight has no operation.
    if (method.equals('OPTIONS') && endOfStream) return Action.Continue;
    if (method.equals('GET') || method.equals('HEAD')) {
      if (!endOfStream) return refuse(400, 'graphql_request', 'a query by GET has no body');
      return this.root.get.checkQuery(path) ? Action.Continue : refusal.send();
    }
    if (!method.equals('POST')) return refuse(405, 'graphql_method', 'operations come by GET and POST');
    // Some servers take those before what the body says.
    if (hasOperation(path))
      return refuse(400, 'graphql_request', 'by POST, an operation stands in the body alone');
    this.form = formOf();
    if (this.form == Form.None)
      return refuse(415, 'graphql_media_type', 'bodies of this type or coding are not taken');
    if (endOfStream) return refuse(400, 'graphql_request', 'the request has no operation');
    return Action.Pause;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (this.form == Form.None) return Action.Continue;
    refusal.clear();
    if (size > this.root.config.maxBytes) return refuse(413, 'graphql_size', 'the body is too large');
    return endOfStream ? this.check(size) : Action.Pause;
  }

  onRequestTrailers(_count: i32): Action {
    refusal.clear();
    return this.form == Form.None ? Action.Continue : this.check(i32.MAX_VALUE);
  }

  private check(size: i32): Action {
    const body = requestBody.read(0, size);
    const post = this.root.post;
    const passes = this.form == Form.Json ? post.checkJson(body) : post.checkDocument(body);
    this.form = Form.None;
    return passes ? Action.Continue : refusal.send();
  }

  recycle(): bool {
    this.form = Form.None;
    return true;
  }
}

function refuse(status: i32, details: string, message: string): Action {
  refusal.set(status, 'BAD_REQUEST', details, message);
  return refusal.send();
}

function hasOperation(path: Bytes): bool {
  parts.query(path);
  while (parts.next()) {
    const known = decodeQuery(parts.name, name);
    if (
      known.equals('query') ||
      known.equals('variables') ||
      known.equals('operationName') ||
      known.equals('extensions')
    )
      return true;
  }
  return false;
}

function formOf(): Form {
  const fields = requestHeaders.all();
  let form = Form.None;
  let count = 0;
  while (fields.next()) {
    if (fields.name.equals('content-encoding') && !fields.value.equalsIgnoreCase('identity'))
      return Form.None;
    if (!fields.name.equals('content-type')) continue;
    if (++count > 1) return Form.None;
    const mark = fields.value.indexOf(59);
    const type = (mark < 0 ? fields.value : fields.value.slice(0, mark)).trim();
    if (type.equalsIgnoreCase('application/json') || type.equalsIgnoreCase('application/graphql+json'))
      form = Form.Json;
    else if (type.equalsIgnoreCase('application/graphql')) form = Form.Document;
  }
  return form;
}

registerRoot(new GraphqlRoot());
