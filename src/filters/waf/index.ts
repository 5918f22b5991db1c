// Looks for attacks in requests, by rules of its own, and refuses what they add up to. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  ByteWriter,
  RootContext,
  StreamContext,
  logWarn,
  registerRoot,
  requestBody,
  requestHeaders,
  setProperty,
  utf8,
} from '@weir/filters-sdk/assembly';
import { Reading, bodyArguments, lookAtBody } from './body';
import { WafConfig } from './config';
import { Findings } from './findings';
import { lookAtFields, lookAtTarget, pathOf } from './head';
import { lookAtFraming } from './framing';

const METHOD = utf8(':method');
const PATH = utf8(':path');
const AUTHORITY = utf8(':authority');
const UPGRADE = utf8('upgrade');
const USER_AGENT = utf8('user-agent');
const ACCEPT = utf8('accept');
const SCORE_PROPERTY = utf8('waf.score');
const RULES_PROPERTY = utf8('waf.rules');
const ROOT = utf8('/');

const line = new ByteWriter();

class WafRoot extends RootContext {
  readonly config: WafConfig = new WafConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Waf(this.config);
  }
}

class Waf extends StreamContext {
  private readonly findings: Findings = new Findings();
  private decided: bool = false;
  private arguments: i32 = 0;
  /** Of the body, so far. */
  private size: i32 = 0;

  constructor(private config: WafConfig) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    const config = this.config;
    const target = targetOfRequest();
    config.inspector.begin(this.findings, pathOf(target));
    // What follows the head of an upgrade is no body.
    const hasBody = config.maxBody > 0 && !endOfStream && !requestHeaders.has(UPGRADE);
    this.lookAtProtocol(hasBody);
    this.arguments = lookAtTarget(config.inspector, target);
    lookAtFields(config.inspector);
    if (hasBody && !this.isOver()) return Action.Pause;
    return this.decide();
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (this.decided) return Action.Continue;
    this.size = size;
    if (size > this.config.maxBody) return this.oversize();
    return endOfStream ? this.lookAtBody() : Action.Pause;
  }

  onRequestTrailers(_count: i32): Action {
    return this.decided ? Action.Continue : this.lookAtBody();
  }

  recycle(): bool {
    this.findings.clear();
    this.decided = false;
    this.size = 0;
    return true;
  }

  private lookAtProtocol(hasBody: bool): void {
    const inspector = this.config.inspector;
    const method = requestHeaders.get(METHOD);
    let known = false;
    for (let i = 0; i < this.config.methods.length; i++)
      if (method !== null && method.equals(this.config.methods[i])) known = true;
    if (!known) inspector.report('protocol/method');
    lookAtFraming(inspector, method, hasBody);
    if (!requestHeaders.has(USER_AGENT)) inspector.report('protocol/no-user-agent');
    if (!requestHeaders.has(ACCEPT)) inspector.report('protocol/no-accept');
    const authority = requestHeaders.get(AUTHORITY);
    if (authority !== null && isAddress(authority)) inspector.report('protocol/address-as-host');
  }

  private lookAtBody(): Action {
    const config = this.config;
    const inspector = config.inspector;
    inspector.begin(this.findings, pathOf(targetOfRequest()));
    const reading = lookAtBody(inspector, requestBody.read(0, this.size), config.unreadTypes);
    if (reading == Reading.Unread && this.size > 0 && !config.passUnread)
      inspector.report('protocol/body-unread');
    this.arguments += max(0, bodyArguments);
    return this.decide();
  }

  private oversize(): Action {
    this.decided = true;
    if (this.config.passOversize) return this.decide();
    logWarn('a body larger than body.maxBytes');
    return this.config.detectOnly ? Action.Continue : this.config.oversize.send();
  }

  private isOver(): bool {
    return this.findings.score >= this.config.threshold;
  }

  private decide(): Action {
    this.decided = true;
    const config = this.config;
    const findings = this.findings;
    if (this.arguments > config.maxArguments) config.inspector.report('protocol/many-arguments');
    if (!findings.any) return Action.Continue;
    const denies = this.isOver() && !config.detectOnly;
    setProperty(SCORE_PROPERTY, line.clear().addNumber(findings.score).view());
    setProperty(RULES_PROPERTY, findings.rules.view());
    line
      .clear()
      .add('{"waf":"')
      .add(denies ? 'denied' : this.isOver() ? 'detected' : 'noted');
    line.add('","score":').addNumber(findings.score).add(',"rules":[').add(findings.told.view()).add(']}');
    logWarn(line.view());
    return denies ? config.denied.send() : Action.Continue;
  }
}

function targetOfRequest(): Bytes {
  const path = requestHeaders.get(PATH);
  return path === null ? Bytes.of(changetype<usize>(ROOT), 1) : path;
}

/** Digits, dots and a port: what a client asks for that was not told a name. */
function isAddress(authority: Bytes): bool {
  for (let i = 0; i < authority.length; i++) {
    const byte = authority.at(i);
    if (<u32>(byte - 48) > 9 && byte != 46 && byte != 58) return false;
  }
  return authority.length > 0;
}

registerRoot(new WafRoot());
