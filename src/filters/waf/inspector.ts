import { Bytes, ByteWriter, lower, utf8 } from '@weir/filters-sdk/assembly';
import { Exclusion } from './exclusion';
import { Findings } from './findings';
import { MOST_WORK, PatternSet } from './pattern-set';
import { Target } from './rule';
import { RuleBook } from './rule-book';
import { TextView, asShellWords, withoutComments } from './text-view';

const NOTHING = changetype<Bytes>(memory.data(8));
/** Fields that split an answer where a value gets into its head. */
const SPLITTERS = [
  utf8('content-type:'),
  utf8('content-length:'),
  utf8('set-cookie:'),
  utf8('transfer-encoding:'),
  utf8('location: http'),
  utf8('http/1.'),
];

/** Looks at values of a request, one after the other. One for the module: it keeps nothing between callbacks. */
export class Inspector {
  private findings: Findings = new Findings();
  private path: Bytes = NOTHING;
  private readonly text: TextView = new TextView();
  private readonly comments: ByteWriter = new ByteWriter(1024);
  private readonly words: ByteWriter = new ByteWriter(1024);
  private readonly injection: i32;
  private readonly zeroByte: i32;
  private readonly complex: i32;

  constructor(
    private book: RuleBook,
    private exclusions: Exclusion[],
  ) {
    this.injection = book.indexOf('protocol/header-injection');
    this.zeroByte = book.indexOf('protocol/zero-byte');
    this.complex = book.indexOf('protocol/too-complex');
  }

  /** @param path of the request, without its query */
  begin(findings: Findings, path: Bytes): void {
    this.findings = findings;
    this.path = path;
  }

  /** @param value with the escapes read that its place has */
  look(target: i32, name: Bytes, value: Bytes): void {
    if (value.length == 0) return;
    const text = this.text.render(value);
    if (this.text.hadZero && target != Target.Body) this.hit(this.zeroByte, target, name);
    if (this.text.hadBreak && target != Target.Body && splitsAnswer(value))
      this.hit(this.injection, target, name);
    this.scan(this.book.inText, text, target, name);
    if (this.text.hadComment) this.scan(this.book.inText, withoutComments(text, this.comments), target, name);
    if (this.text.hadQuote) this.scan(this.book.inShell, asShellWords(text, this.words), target, name);
  }

  private scan(set: PatternSet, text: Bytes, target: i32, name: Bytes): void {
    set.work = this.findings.work;
    set.scan(text.start, text.length);
    this.findings.work = set.work;
    if (set.work > MOST_WORK) this.hit(this.complex, target, name);
    for (let i = 0; i < set.count; i++) {
      const rule = unchecked(set.found[i]);
      if ((this.book.rules[rule].targets & target) != 0) this.hit(rule, target, name);
    }
  }

  /** A rule that code decides. */
  report(id: string): void {
    this.hit(this.book.indexOf(id), 0, NOTHING);
  }

  private hit(rule: i32, target: i32, name: Bytes): void {
    if (rule < 0) return;
    for (let i = 0; i < this.exclusions.length; i++)
      if (this.exclusions[i].covers(rule, target, name, this.path)) return;
    this.findings.add(rule, this.book.rules[rule], target, name);
  }
}

function splitsAnswer(value: Bytes): bool {
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    const escaped = byte == 37 && i + 2 < value.length && value.at(i + 1) == 48;
    const last = escaped ? value.at(i + 2) | 32 : 0;
    if (byte != 10 && byte != 13 && last != 97 && last != 100) continue;
    const from = i + (last != 0 ? 3 : 1);
    for (let k = 0; k < SPLITTERS.length; k++) if (liesAt(value, from, SPLITTERS[k])) return true;
  }
  return false;
}

function liesAt(value: Bytes, from: i32, text: ArrayBuffer): bool {
  if (value.length - from < text.byteLength) return false;
  for (let i = 0; i < text.byteLength; i++)
    if (lower(value.at(from + i)) != <i32>load<u8>(changetype<usize>(text) + i)) return false;
  return true;
}
