// Says of answers who may keep them, and for how long. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { Rule } from './rule';

const METHOD = utf8(':method');
const GET = utf8('GET');
const HEAD = utf8('HEAD');
const PATH = utf8(':path');
const STATUS = utf8(':status');
const AUTHORIZATION = utf8('authorization');
/** One bit each. */
const MOST_RULES = 64;

class CacheRoot extends RootContext {
  readonly rules: Rule[] = [];

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const rules = config.items('rules');
    if (rules.length == 0 || rules.length > MOST_RULES)
      config.fault('rules', 'expected a list of 1 to 64 rules');
    for (let i = 0; i < rules.length; i++) this.rules.push(Rule.read(rules[i]));
    return config.end();
  }

  createStream(): StreamContext {
    return new CacheControl(this.rules);
  }
}

class CacheControl extends StreamContext {
  /** Bits of the rules that the request fits. */
  private fitting: u64 = 0;

  constructor(private rules: Rule[]) {
    super();
  }

  /** The request as it came: filters behind may send it elsewhere. */
  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const method = requestHeaders.get(METHOD);
    // Answers to other methods are not kept (RFC 9110, section 9.2.3).
    if (method === null || !(method.equals(GET) || method.equals(HEAD))) return Action.Continue;
    const target = requestHeaders.get(PATH);
    if (target === null) return Action.Continue;
    const mark = target.indexOf(63);
    const path = mark < 0 ? target : target.slice(0, mark);
    const authorized = requestHeaders.has(AUTHORIZATION);
    for (let i = 0; i < this.rules.length; i++)
      if (this.rules[i].fitsRequest(path, authorized)) this.fitting |= (<u64>1) << i;
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    if (this.fitting == 0) return Action.Continue;
    const text = responseHeaders.get(STATUS);
    const status = text === null ? 0 : <i32>text.toUnsigned();
    for (let i = 0; i < this.rules.length; i++) {
      if (((this.fitting >> i) & 1) == 0 || !this.rules[i].fitsAnswer(status, responseHeaders)) continue;
      this.rules[i].apply(responseHeaders);
      break;
    }
    return Action.Continue;
  }

  recycle(): bool {
    this.fitting = 0;
    return true;
  }
}

registerRoot(new CacheRoot());
