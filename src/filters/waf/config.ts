import { Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Exclusion, PLACE_WORDS, targetsOf } from './exclusion';
import { Inspector } from './inspector';
import { INPUT, Rule, Severity } from './rule';
import { RuleBook } from './rule-book';

const MOST_BODY: i64 = 1_048_576;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const SEVERITIES = ['critical', 'error', 'warning', 'notice'];
const SCORES = [Severity.Critical, Severity.Error, Severity.Warning, Severity.Notice];

export class WafConfig {
  /** What is found is told alone. */
  detectOnly: bool = false;
  threshold: i32 = 5;
  /** 0: bodies are not looked at. */
  maxBody: i32 = 0;
  /** A larger body passes, not looked at. */
  passOversize: bool = false;
  passUnread: bool = false;
  unreadTypes: ArrayBuffer[] = [];
  maxArguments: i32 = 255;
  methods: ArrayBuffer[] = [];
  inspector: Inspector = new Inspector(new RuleBook(1), []);
  book: RuleBook = new RuleBook(1);
  denied: Reply = Reply.problem(403, 'Forbidden', 'the request looks like an attack', 'waf_denied');
  oversize: Reply = Reply.problem(
    413,
    'Content Too Large',
    'the body is larger than what is checked',
    'waf_body_too_large',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.detectOnly = config.choice('mode', ['Deny', 'Detect']) == 1;
    const paranoia = <i32>config.integer('paranoia', 1, 2, 1);
    this.threshold = <i32>config.integer('threshold', 1, 1000, 5);
    this.maxArguments = <i32>config.integer('maxArguments', 1, 100_000, 255);
    if (config.has('body')) this.readBody(config.object('body'));
    this.readMethods(config);
    const book = new RuleBook(paranoia);
    const own = config.items('rules');
    for (let i = 0; i < own.length; i++) addOwn(own[i], book);
    book.finish();
    const exclusions: Exclusion[] = [];
    const excluded = config.items('exclude');
    for (let i = 0; i < excluded.length; i++) exclusions.push(Exclusion.read(excluded[i], book));
    this.inspector = new Inspector(book, exclusions);
    this.book = book;
    return config.end();
  }

  private readBody(body: Config): void {
    this.maxBody = <i32>body.integer('maxBytes', 1, MOST_BODY, 65_536);
    this.passOversize = body.choice('oversize', ['Deny', 'Pass']) == 1;
    this.passUnread = body.choice('unreadable', ['Deny', 'Pass']) == 1;
    const types = body.items('unreadTypes');
    for (let i = 0; i < types.length; i++) {
      if (types[i].kind != JsonKind.String || view(types[i].text).indexOf(47) < 1)
        faultAt(types[i], 'expected a media type such as image/png or image/*');
      this.unreadTypes.push(types[i].text);
    }
  }

  private readMethods(config: Config): void {
    const items = config.items('methods');
    for (let i = 0; i < items.length; i++) {
      if (items[i].kind != JsonKind.String || items[i].text.byteLength == 0)
        faultAt(items[i], 'expected a method');
      this.methods.push(items[i].text);
    }
    if (!config.has('methods')) for (let i = 0; i < METHODS.length; i++) this.methods.push(utf8(METHODS[i]));
  }
}

function addOwn(value: JsonValue, book: RuleBook): void {
  const config = Config.of(value);
  const name = String.UTF8.decode(config.text('name'));
  const severity = SCORES[config.choice('severity', SEVERITIES)];
  let targets = config.has('targets') ? 0 : INPUT;
  const words = config.items('targets');
  for (let i = 0; i < words.length; i++) {
    const bits = words[i].kind == JsonKind.String ? targetsOf(String.UTF8.decode(words[i].text)) : 0;
    if (bits == 0) faultAt(words[i], 'expected one of ' + PLACE_WORDS.join(', '));
    targets |= bits;
  }
  const pattern = String.UTF8.decode(config.text('pattern'));
  if (!name.startsWith('own/') || name.length == 4) config.fault('name', 'must begin with own/');
  else if (book.knows(name)) config.fault('name', 'another rule has this name');
  const fault =
    pattern.length == 0 ? 'must not be empty' : book.add(new Rule(name, severity, 1, targets, pattern));
  if (fault.length > 0) config.fault('pattern', fault);
  config.end();
}
