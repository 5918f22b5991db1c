// Changes paths, queries, cookies and bodies of requests and answers. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { TransformConfig } from './config';
import { RequestRule } from './request-rule';

const METHOD = utf8(':method');
const PATH = utf8(':path');
const STATUS = utf8(':status');

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

  constructor(private config: TransformConfig) {
    super();
  }

  recycle(): bool {
    this.candidates = 0;
    return true;
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const method = requestHeaders.get(METHOD);
    const whole = requestHeaders.get(PATH);
    if (method === null || whole === null) return Action.Continue;
    const mark = whole.indexOf(63);
    const path = mark < 0 ? whole : whole.slice(0, mark);
    const responses = this.config.responses;
    for (let i = 0; i < responses.length; i++) {
      if (responses[i].when.holdsFor(method, path)) this.candidates |= (<u64>1) << i;
    }
    const rule = this.ruleFor(method, path);
    if (rule !== null && !rule.applyToHead(whole)) return badPath.send();
    return Action.Continue;
  }

  private ruleFor(method: Bytes, path: Bytes): RequestRule | null {
    const rules = this.config.requests;
    for (let i = 0; i < rules.length; i++) {
      const when = rules[i].when;
      if (when.holdsFor(method, path) && when.holdsForTypes(requestHeaders)) return rules[i];
    }
    return null;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.candidates == 0) return Action.Continue;
    const status = responseHeaders.get(STATUS);
    if (status === null) return Action.Continue;
    const code = <i32>status.toUnsigned();
    for (let rest = this.candidates; rest != 0; rest &= rest - 1) {
      const rule = this.config.responses[<i32>ctz(rest)];
      if (!rule.holdsFor(code, responseHeaders)) continue;
      rule.applyToHead();
      break;
    }
    return Action.Continue;
  }
}

registerRoot(new TransformRoot());
