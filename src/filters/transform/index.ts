// Changes paths, queries, cookies and bodies of requests and answers. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestBody,
  requestHeaders,
  requestTrailers,
  responseBody,
  responseHeaders,
  responseTrailers,
  utf8,
} from '@weir/filters-sdk/assembly';
import { beginBody, dropFields, dropOfBytes, isFor } from './body-head';
import { BodyRun } from './body-run';
import { TransformConfig } from './config';
import { RequestRule } from './request-rule';
import { ResponseRule } from './response-rule';

const METHOD = utf8(':method');
const PATH = utf8(':path');
const STATUS = utf8(':status');
const ACCEPT_ENCODING = utf8('accept-encoding');
const IDENTITY = utf8('identity');
const RANGE = utf8('range');
const IF_RANGE = utf8('if-range');

const badPath = Reply.problem(400, 'Bad Request', 'the path cannot be made', 'transform_path');

class TransformRoot extends RootContext {
  readonly config: TransformConfig = new TransformConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Transform(this.config);
  }
}

class Transform extends StreamContext {
  /** Rules for answers whose method and path fit this request: one bit for each. */
  private candidates: u64 = 0;
  private request: BodyRun = new BodyRun();
  private response: BodyRun = new BodyRun();

  constructor(private config: TransformConfig) {
    super();
  }

  recycle(): bool {
    this.candidates = 0;
    this.request.reset();
    this.response.reset();
    return true;
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    const method = requestHeaders.get(METHOD);
    const whole = requestHeaders.get(PATH);
    if (method === null || whole === null) return Action.Continue;
    const mark = whole.indexOf(63);
    const path = mark < 0 ? whole : whole.slice(0, mark);
    const rule = this.ruleFor(method, path);
    this.findCandidates(method, path);
    if (rule === null) return Action.Continue;
    if (!rule.applyToHead(whole)) return badPath.send();
    const edit = rule.body;
    if (edit === null || endOfStream || !isFor(rule.when, edit, requestHeaders)) return Action.Continue;
    return beginBody(this.request, edit, requestHeaders);
  }

  private ruleFor(method: Bytes, path: Bytes): RequestRule | null {
    const rules = this.config.requests;
    for (let i = 0; i < rules.length; i++) {
      const when = rules[i].when;
      if (when.holdsFor(method, path) && when.holdsForTypes(requestHeaders)) return rules[i];
    }
    return null;
  }

  private findCandidates(method: Bytes, path: Bytes): void {
    const rules = this.config.responses;
    let edits = false;
    let asksForPlain = false;
    for (let i = 0; i < rules.length; i++) {
      if (!rules[i].when.holdsFor(method, path)) continue;
      this.candidates |= (<u64>1) << i;
      const edit = rules[i].body;
      if (edit === null) continue;
      edits = true;
      if (edit.asksForPlain) asksForPlain = true;
    }
    if (asksForPlain) requestHeaders.set(ACCEPT_ENCODING, IDENTITY);
    if (!edits) return;
    // A part of a document is none.
    requestHeaders.remove(RANGE);
    requestHeaders.remove(IF_RANGE);
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    return this.request.read(requestBody, size, endOfStream);
  }

  onRequestTrailers(_count: i32): Action {
    if (this.request.isEdited) dropOfBytes(requestTrailers);
    return this.request.end(requestBody);
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    if (this.candidates == 0) return Action.Continue;
    const status = responseHeaders.get(STATUS);
    if (status === null) return Action.Continue;
    const code = <i32>status.toUnsigned();
    for (let rest = this.candidates; rest != 0; rest &= rest - 1) {
      const rule = this.config.responses[<i32>ctz(rest)];
      if (!rule.holdsFor(code, responseHeaders)) continue;
      rule.applyToHead();
      return this.beginResponse(rule, code, endOfStream);
    }
    return Action.Continue;
  }

  private beginResponse(rule: ResponseRule, status: i32, endOfStream: bool): Action {
    const edit = rule.body;
    if (edit === null || status < 200 || !isFor(rule.when, edit, responseHeaders)) return Action.Continue;
    if (endOfStream) {
      // To HEAD: the fields that an answer with a body would have.
      dropFields(edit, responseHeaders);
      return Action.Continue;
    }
    if (status != 206) return beginBody(this.response, edit, responseHeaders);
    const reply = edit.encodedReply;
    return reply === null ? Action.Continue : reply.send();
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    return this.response.read(responseBody, size, endOfStream);
  }

  onResponseTrailers(_count: i32): Action {
    if (this.response.isEdited) dropOfBytes(responseTrailers);
    return this.response.end(responseBody);
  }
}

registerRoot(new TransformRoot());
