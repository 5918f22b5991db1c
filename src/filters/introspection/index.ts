// Admits requests with a token that its issuer says is good (RFC 7662). See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  CallResponse,
  PairsWriter,
  RootContext,
  StreamContext,
  actAs,
  httpCall,
  logWarn,
  now,
  registerRoot,
  requestHeaders,
  resumeRequest,
  setProperty,
  setTickPeriod,
  utf8,
} from '@weir/filters-sdk/assembly';
import { announceConsumer } from '@weir/filters-sdk/assembly/consumer';
import { removeSpellings } from '@weir/filters-sdk/assembly/fields';
import { encodePart } from '@weir/filters-sdk/assembly/parts';
import { Known, Verdict, readAnswer } from './answer';
import { IntrospectionConfig } from './config';
import { TokenMemory, keyOf } from './memory';

const PAYLOAD = utf8('jwt.payload');
/** Longer tokens are refused unread. */
const MOST_BYTES = 8192;
const MOST_ANSWER = 64 * 1024;
const DECIDED_AT_ONCE = 100;

const head = new PairsWriter();
const form = new ByteWriter(1024);

/** One question to the server, and the requests that wait for its answer. */
class Question {
  waiting: Introspection[] = [];
  /** What the server said; null: it gave no answer. */
  known: Known | null = null;

  constructor(
    public key: string,
    public call: u32,
  ) {}
}

class IntrospectionRoot extends RootContext {
  readonly config: IntrospectionConfig = new IntrospectionConfig();
  readonly known: TokenMemory = new TokenMemory();
  private questions: Question[] = [];
  /** Answered, with requests that have not been decided yet. */
  private answered: Question[] = [];
  private period: u32 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Introspection(this);
  }

  /** The question about a token: the one that is asked already, or a new one. Null: it cannot be asked. */
  questionFor(key: string, token: Bytes, stream: u32): Question | null {
    for (let i = 0; i < this.questions.length; i++)
      if (this.questions[i].key == key) return this.questions[i];
    const call = this.ask(token, stream);
    if (call == 0) return null;
    const question = new Question(key, call);
    this.questions.push(question);
    return question;
  }

  /** The call is the root's: others wait for it when the request that led to it has gone. */
  private ask(token: Bytes, stream: u32): u32 {
    const config = this.config;
    head.clear().add(':method', 'POST').add(':scheme', config.url.scheme);
    head.add(':authority', config.url.authority).add(':path', config.url.path);
    head.add('authorization', config.credential).add('accept', 'application/json');
    head.add('content-type', 'application/x-www-form-urlencoded');
    form.clear().add('token=');
    encodePart(token, form);
    form.add('&token_type_hint=access_token');
    actAs(this.id);
    const call = httpCall<ArrayBuffer, Bytes>(config.upstream, head, form.view(), config.timeoutMs);
    actAs(stream);
    return call;
  }

  onCallResponse(response: CallResponse): void {
    for (let i = 0; i < this.questions.length; i++) {
      const question = this.questions[i];
      if (question.call != response.token) continue;
      this.questions.splice(i, 1);
      question.known = this.answerOf(question, response);
      this.answered.push(question);
      this.decideSome();
      return;
    }
  }

  private answerOf(question: Question, response: CallResponse): Known | null {
    if (response.failed || response.status != 200) {
      logWarn(
        'the server gave no answer: ' +
          (response.failed ? response.reason.toString() : response.status.toString()),
      );
      return null;
    }
    const body = response.body;
    const known: Known | null =
      body.length > MOST_ANSWER ? null : readAnswer(this.config, body, now() / 1_000_000);
    if (known === null || known.verdict == Verdict.None) {
      logWarn('what the server answered is not of RFC 7662');
      return null;
    }
    this.known.add(question.key, known);
    return known;
  }

  onTick(): void {
    this.decideSome();
  }

  /** Thousands may wait for one answer, and a callback has a budget: the next tick has the others. */
  private decideSome(): void {
    let left = DECIDED_AT_ONCE;
    while (this.answered.length > 0) {
      const question = this.answered[0];
      const waiting = question.waiting;
      while (waiting.length > 0) {
        if (left-- == 0) return this.tickEvery(1);
        const stream = waiting.pop();
        stream.question = null;
        if (actAs(stream.number) && stream.decide(question.known) == Action.Continue) resumeRequest();
      }
      this.answered.shift();
    }
    this.tickEvery(0);
  }

  private tickEvery(milliseconds: u32): void {
    if (this.period == milliseconds) return;
    this.period = milliseconds;
    setTickPeriod(milliseconds);
  }
}

class Introspection extends StreamContext {
  /** The host's number for it, while it waits. */
  number: u32 = 0;
  question: Question | null = null;

  constructor(private root: IntrospectionRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.root.config;
    const token = config.sources.find(requestHeaders.all());
    if (token === null) {
      if (config.sources.several) return config.inactive.send();
      if (config.required) return config.missing.send();
      removeSpellings(config.owned);
      return Action.Continue;
    }
    if (token.length == 0 || token.length > MOST_BYTES) return config.inactive.send();
    const key = keyOf(token);
    const known = this.root.known.find(key, now() / 1_000_000);
    if (known !== null) return this.decide(known);
    const question = this.root.questionFor(key, token, this.id);
    if (question === null) return config.unavailable.send();
    this.number = this.id;
    this.question = question;
    question.waiting.push(this);
    return Action.Pause;
  }

  /** @param known null: the server gave no answer */
  decide(known: Known | null): Action {
    const config = this.root.config;
    if (known === null) return config.unavailable.send();
    if (known.verdict == Verdict.Scope) return config.scope.send();
    if (known.verdict != Verdict.Active) return config.inactive.send();
    removeSpellings(config.owned);
    for (let i = 0; i < config.claims.length; i++) {
      const value = known.values[i];
      if (value !== null) requestHeaders.set<ArrayBuffer, ArrayBuffer>(config.claims[i].header, value);
    }
    setProperty(PAYLOAD, known.claims);
    const consumer = known.consumer;
    if (consumer !== null) announceConsumer<ArrayBuffer>(consumer);
    if (config.strip) config.sources.strip();
    return Action.Continue;
  }

  onDone(): void {
    const question = this.question;
    if (question === null) return;
    this.question = null;
    const at = question.waiting.indexOf(this);
    if (at >= 0) question.waiting.splice(at, 1);
  }

  recycle(): bool {
    this.number = 0;
    this.question = null;
    return true;
  }
}

registerRoot(new IntrospectionRoot());
