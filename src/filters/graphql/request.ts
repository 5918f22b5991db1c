import { ByteWriter, Bytes, setProperty, view } from '@weir/filters-sdk/assembly';
import { JsonRefusal, isUtf8 } from '@weir/filters-sdk/assembly/json-scan';
import { decodeJsonString } from '@weir/filters-sdk/assembly/json-text';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { GraphqlConfig } from './config';
import { Conflict, Definition, Definitions, Kind, sum } from './document';
import { Members, isArray, isObject, isText } from './members';
import { ParseResult, faultLine, parseDocument } from './parser';
import { Refusal } from './refusal';
import { Variables } from './variables';

const EMPTY = new ArrayBuffer(0);
const COST = String.UTF8.encode('graphql.cost');
const DEPTH = String.UTF8.encode('graphql.depth');
const ALIASES = String.UTF8.encode('graphql.aliases');
const OPERATION = String.UTF8.encode('graphql.operation');
/** Where clients and servers agree on documents that are kept ("automatic persisted queries"). */
const HASH = 'sha256Hash';

const definitions = new Definitions();
const variables = new Variables();
const members = new Members();
const inner = new Members();
const items = new Members();
const query = new Parts();
const document = new ByteWriter(4096);
const decoded = new ByteWriter(1024);
const extensions = new ByteWriter(256);
const hash = new ByteWriter(64);
const name = new ByteWriter(32);
const number = new ByteWriter(20);

/** One request that is looked at. */
export class GraphqlRequest {
  private cost: i64 = 0;
  private depth: i32 = 0;
  private aliases: i64 = 0;
  private kind: Kind = Kind.Query;

  constructor(
    private config: GraphqlConfig,
    private refusal: Refusal,
    private isGet: bool,
  ) {}

  private clear(): void {
    this.cost = 0;
    this.depth = 0;
    this.aliases = 0;
    this.kind = Kind.Query;
  }

  /** Whether a request with everything in its query may pass. */
  checkQuery(path: Bytes): bool {
    this.clear();
    let found = 0;
    let text: Bytes = view(EMPTY);
    let given: Bytes = view(EMPTY);
    let extra: Bytes = view(EMPTY);
    query.query(path);
    while (query.next()) {
      const part = decodeQuery(query.name, name);
      const bit = part.equals('query')
        ? 1
        : part.equals('variables')
          ? 2
          : part.equals('extensions')
            ? 4
            : part.equals('operationName')
              ? 8
              : 0;
      if (bit == 0) continue;
      if ((found & bit) != 0)
        return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'a parameter is there twice');
      found |= bit;
      if (bit == 1) text = decodeQuery(query.value, document);
      else if (bit == 2) given = decodeQuery(query.value, decoded);
      else if (bit == 4) extra = decodeQuery(query.value, extensions);
    }
    if ((given.length > 0 && !this.isJson(given)) || (extra.length > 0 && !this.isJson(extra))) return false;
    return this.check(text, (found & 1) != 0, given, extra) && this.finish();
  }

  /** Whether a request may pass whose body is a document. */
  checkDocument(body: Bytes): bool {
    this.clear();
    return this.check(body, true, view(EMPTY), view(EMPTY)) && this.finish();
  }

  /** Whether a request may pass whose body is JSON. */
  checkJson(body: Bytes): bool {
    this.clear();
    const text = trimmed(body);
    if (!this.isJson(text)) return false;
    if (isObject(text)) return this.checkMembers(text) && this.finish();
    if (!isArray(text))
      return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'the body is no request of GraphQL');
    let count = 0;
    items.begin(text);
    while (items.next()) {
      if (++count > this.config.maxBatch)
        return this.refusal.set(
          400,
          'BATCH_LIMIT',
          'graphql_batch',
          'so many operations in one request are not allowed',
        );
      if (!isObject(items.value) || !this.checkMembers(items.value)) {
        if (this.refusal.status == 0)
          this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'the body is no request of GraphQL');
        return false;
      }
    }
    if (count == 0)
      return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'the body has no operation');
    return this.finish();
  }

  private isJson(text: Bytes): bool {
    const found = this.config.json!.scanJson(text);
    if (found == JsonRefusal.None) return true;
    return this.refusal.set(
      400,
      'BAD_REQUEST',
      'graphql_request',
      found == JsonRefusal.Duplicate
        ? 'a name is there twice in an object'
        : 'this is no JSON, or more of it than is taken',
    );
  }

  private checkMembers(object: Bytes): bool {
    let text: Bytes = view(EMPTY);
    let given: Bytes = view(EMPTY);
    let extra: Bytes = view(EMPTY);
    let hasText = false;
    members.begin(object);
    while (members.next()) {
      const value = members.value;
      // What is a name after its escapes would be missed here and read by the server.
      if (members.name.indexOf(92) >= 0)
        return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'a name has escapes');
      if (members.name.equals('query') && !value.equals('null')) {
        if (!isText(value))
          return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'the query is no text');
        hasText = true;
        text = decodeJsonString(value, document);
      } else if (members.name.equals('variables')) given = value;
      else if (members.name.equals('extensions')) extra = value;
    }
    return this.check(text, hasText, given, extra);
  }

  private check(text: Bytes, hasText: bool, given: Bytes, extra: Bytes): bool {
    const config = this.config;
    const hash = hashIn(extra);
    const persisted = config.persisted;
    if (persisted !== null) {
      const isKnown = hasText ? persisted.hasText(text) : hash !== null && persisted.hasHash(hash);
      if (!isKnown)
        return this.refusal.set(
          403,
          'PERSISTED_QUERY_REQUIRED',
          'graphql_persisted',
          'only known documents are taken',
        );
      // Its hash stands for it, and nobody sent it.
      if (!hasText) return true;
    }
    if (!hasText) return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'the request has no query');
    if (!isUtf8(text))
      return this.refusal.set(400, 'BAD_REQUEST', 'graphql_request', 'the query is not UTF-8');
    variables.read(given, config.costs);
    let result = parseDocument(text, definitions, config.costs, variables, config.maxTokens);
    // A default may stand behind the fragment that its variable is used in.
    if (result == ParseResult.Right && variables.missed && variables.defaults > 0)
      result = parseDocument(text, definitions, config.costs, variables, config.maxTokens);
    if (result != ParseResult.Right) return this.refuseParse(result);
    const conflict = definitions.resolve();
    if (conflict != Conflict.None) return this.refuseConflict(conflict);
    return this.checkDefinitions();
  }

  private checkDefinitions(): bool {
    let cost: i64 = 0;
    let operations = 0;
    for (let i = 0; i < definitions.count; i++) {
      const one = definitions.at(i);
      if (one.kind == Kind.Fragment) continue;
      operations++;
      // Which of them the server takes is its business.
      if (!this.checkOperation(one)) return false;
      cost = max(cost, one.cost);
      this.depth = max(this.depth, one.depth);
      this.aliases = max(this.aliases, one.aliases);
      this.kind = max(this.kind, one.kind);
    }
    if (operations == 0)
      return this.refusal.set(
        400,
        'GRAPHQL_VALIDATION_FAILED',
        'graphql_request',
        'the document has no operation',
      );
    this.cost = sum(this.cost, cost);
    if (this.cost > this.config.maxCost)
      return this.refusal.setLimit(
        'COST_LIMIT',
        'graphql_cost',
        'the request costs too much',
        this.cost,
        this.config.maxCost,
      );
    return true;
  }

  private checkOperation(one: Definition): bool {
    const config = this.config;
    const refusal = this.refusal;
    if (!config.allows(one.kind))
      return refusal.set(
        403,
        'OPERATION_NOT_ALLOWED',
        'graphql_operation',
        'a ' + GraphqlConfig.nameOf(one.kind) + ' is not allowed here',
      );
    if (this.isGet && one.kind != Kind.Query)
      return refusal.set(405, 'BAD_REQUEST', 'graphql_method', 'with GET there are queries alone');
    if (one.introspects && !config.introspection)
      return refusal.set(
        403,
        'INTROSPECTION_DISABLED',
        'graphql_introspection',
        'the schema cannot be asked for here',
      );
    if (one.depth > config.maxDepth)
      return refusal.setLimit(
        'DEPTH_LIMIT',
        'graphql_depth',
        'fields are too deep in one another',
        one.depth,
        config.maxDepth,
      );
    if (one.aliases > config.maxAliases)
      return refusal.setLimit(
        'ALIAS_LIMIT',
        'graphql_aliases',
        'there are too many aliases',
        one.aliases,
        config.maxAliases,
      );
    if (one.rootFields > config.maxRootFields)
      return refusal.setLimit(
        'ROOT_FIELD_LIMIT',
        'graphql_root_fields',
        'there are too many fields at the root',
        one.rootFields,
        config.maxRootFields,
      );
    if (one.directives > config.maxDirectives)
      return refusal.setLimit(
        'DIRECTIVE_LIMIT',
        'graphql_directives',
        'there are too many directives',
        one.directives,
        config.maxDirectives,
      );
    return true;
  }

  private refuseParse(result: ParseResult): bool {
    const refusal = this.refusal;
    if (result == ParseResult.Tokens)
      return refusal.set(
        400,
        'TOKEN_LIMIT',
        'graphql_tokens',
        'the document has more tokens than are allowed',
      );
    if (result == ParseResult.Nesting)
      return refusal.set(400, 'DEPTH_LIMIT', 'graphql_depth', 'the document is nested too deeply');
    refusal.set(400, 'GRAPHQL_PARSE_FAILED', 'graphql_syntax', 'the document is no GraphQL: line ');
    return refusal.addNumber(faultLine);
  }

  private refuseConflict(conflict: Conflict): bool {
    if (conflict == Conflict.Depth)
      return this.refusal.set(400, 'DEPTH_LIMIT', 'graphql_depth', 'fragments are too deep in one another');
    const why =
      conflict == Conflict.Cycle
        ? 'a fragment leads back to itself'
        : conflict == Conflict.UnknownFragment
          ? 'a fragment is not there'
          : 'a name is there twice';
    return this.refusal.set(400, 'GRAPHQL_VALIDATION_FAILED', 'graphql_document', why);
  }

  /** Leaves what was found for filters behind: limits may charge it. */
  private finish(): bool {
    setProperty(COST, number.clear().addNumber(this.cost).view());
    setProperty(DEPTH, number.clear().addNumber(this.depth).view());
    setProperty(ALIASES, number.clear().addNumber(this.aliases).view());
    setProperty(OPERATION, GraphqlConfig.nameOf(this.kind));
    return true;
  }
}

/** The hash of a document in `extensions`; null where there is none. */
function hashIn(text: Bytes): Bytes | null {
  if (!isObject(text)) return null;
  inner.begin(text);
  while (inner.next()) {
    if (!inner.name.equals('persistedQuery') || !isObject(inner.value)) continue;
    inner.begin(inner.value);
    while (inner.next())
      if (inner.name.equals(HASH) && isText(inner.value)) return decodeJsonString(inner.value, hash);
    return null;
  }
  return null;
}

/** Without the white space of JSON around it. */
function trimmed(text: Bytes): Bytes {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text.at(from))) from++;
  while (to > from && isSpace(text.at(to - 1))) to--;
  return text.slice(from, to);
}

function isSpace(byte: i32): bool {
  return byte == 32 || byte == 9 || byte == 10 || byte == 13;
}
