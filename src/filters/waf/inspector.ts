import { Bytes, ByteWriter, lower, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { Exclusion } from './exclusion';
import { Findings } from './findings';
import { MOST_WORK, PatternSet } from './pattern-set';
import { Target } from './rule';
import { RuleBook } from './rule-book';
import { TextView, asShellWords, withoutComments } from './text-view';

const NOTHING = changetype<Bytes>(memory.data(8));
/** Fields that split an answer where a value gets into its head, and a mail, or what is said to its server. */
const SPLITTERS = [
  utf8('content-type:'),
  utf8('content-length:'),
  utf8('set-cookie:'),
  utf8('transfer-encoding:'),
  utf8('location: http'),
  utf8('http/1.'),
  utf8('mail from:'),
  utf8('rcpt to:'),
  utf8('ehlo '),
  utf8('helo '),
  utf8('vrfy '),
  utf8('bcc:'),
];
const ADDRESSES = [utf8('http:/'), utf8('https:/'), utf8('ftp:/'), utf8('ftps:/'), utf8('//')];

/** Where the end of a line has no business. */
const HEAD = Target.Headers | Target.Referer | Target.UserAgent | Target.Path;
const REFERER = utf8('referer');
const AUTHORITY = utf8(':authority');
/** Where somebody hides code in base64, it is longer; so many bytes are looked at first. */
const LEAST_BASE64 = 16;

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
  private readonly fixation: i32;
  private readonly parameter: i32;
  private readonly elsewhere: i32;
  /** The name that was looked at last is one that `rfi/parameter` knows. */
  private namesCode: bool = false;

  constructor(
    private book: RuleBook,
    private exclusions: Exclusion[],
  ) {
    this.injection = book.indexOf('protocol/header-injection');
    this.zeroByte = book.indexOf('protocol/zero-byte');
    this.complex = book.indexOf('protocol/too-complex');
    this.fixation = book.indexOf('session/fixation');
    this.parameter = book.indexOf('rfi/parameter');
    this.elsewhere = book.indexOf('rfi/elsewhere');
  }

  /** @param path of the request, without its query */
  begin(findings: Findings, path: Bytes): void {
    this.findings = findings;
    this.path = path;
    this.namesCode = false;
  }

  /** @param value with the escapes read that its place has */
  look(target: i32, name: Bytes, value: Bytes): void {
    if (target == Target.ArgNames) this.namesCode = false;
    if (value.length == 0) return;
    this.lookAtText(target, name, value);
    const inside = (target & (Target.Args | Target.Cookies | Target.Body)) != 0 ? textInBase64(value) : null;
    if (inside !== null) this.lookAtText(target, name, inside);
  }

  private lookAtText(target: i32, name: Bytes, value: Bytes): void {
    const text = this.text.render(value);
    if (this.text.hadZero && target != Target.Body) this.hit(this.zeroByte, target, name);
    if (this.text.hadBreak && target != Target.Body && splitsHead(value, (target & HEAD) != 0))
      this.hit(this.injection, target, name);
    if (this.namesCode && target == Target.Args && isAddress(text)) this.hit(this.parameter, target, name);
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
      if ((this.book.rules[rule].targets & target) == 0) continue;
      if (rule == this.elsewhere && !namesOther(text)) continue;
      if (rule == this.parameter) this.namesCode = true;
      else this.hit(rule, target, name);
    }
  }

  /** A rule that code decides. */
  report(id: string): void {
    this.hit(this.book.indexOf(id), 0, NOTHING);
  }

  private hit(rule: i32, target: i32, name: Bytes): void {
    if (rule < 0 || (rule == this.fixation && !isFromElsewhere())) return;
    for (let i = 0; i < this.exclusions.length; i++)
      if (this.exclusions[i].covers(rule, target, name, this.path)) return;
    this.findings.add(rule, this.book.rules[rule], target, name);
  }
}

/** @param field it is the value of a field: what follows its end looks like a field as well */
function splitsHead(value: Bytes, field: bool): bool {
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    const escaped = byte == 37 && i + 2 < value.length && value.at(i + 1) == 48;
    const last = escaped ? value.at(i + 2) | 32 : 0;
    if (byte != 10 && byte != 13 && last != 97 && last != 100) continue;
    const from = i + (last != 0 ? 3 : 1);
    if (field && beginsField(value, from)) return true;
    for (let k = 0; k < SPLITTERS.length; k++) if (liesAt(value, from, SPLITTERS[k])) return true;
  }
  return false;
}

function beginsField(value: Bytes, from: i32): bool {
  let at = from;
  while (at < value.length && (<u32>((value.at(at) | 32) - 97) < 26 || value.at(at) == 45)) at++;
  return at > from && at < value.length && value.at(at) == 58;
}

/** What a value is in base64, where that is plain text; null where it is not. */
function textInBase64(value: Bytes): Bytes | null {
  if (value.length < LEAST_BASE64 || value.length % 4 != 0) return null;
  for (let i = 0; i < LEAST_BASE64 - 2; i++) if (!isBase64(value.at(i))) return null;
  const inside = fromBase64(value);
  if (inside === null) return null;
  for (let i = 0; i < inside.length; i++) {
    const byte = inside.at(i);
    if (byte > 126 || (byte < 32 && byte != 9 && byte != 10 && byte != 13)) return null;
  }
  return inside;
}

function isBase64(byte: i32): bool {
  return <u32>(byte - 48) < 10 || <u32>((byte | 32) - 97) < 26 || byte == 43 || byte == 47;
}

/** Whether a value has the address of another server in it. */
function namesOther(text: Bytes): bool {
  const authority = requestHeaders.get(AUTHORITY);
  const start = text.indexOfBytes('://');
  return authority === null || start < 0 || !hostAt(text, start + 3).equalsIgnoreCase(hostAt(authority, 0));
}

/** Whether a page of another host has sent the client here. */
function isFromElsewhere(): bool {
  const referer = requestHeaders.get(REFERER);
  const authority = requestHeaders.get(AUTHORITY);
  if (referer === null || authority === null) return false;
  const start = referer.indexOfBytes('://');
  if (start < 0) return false;
  return !hostAt(referer, start + 3).equalsIgnoreCase(hostAt(authority, 0));
}

/** `http://…` and the like, also without all of its slashes. */
function isAddress(text: Bytes): bool {
  for (let i = 0; i < ADDRESSES.length; i++) if (liesAt(text, 0, ADDRESSES[i])) return true;
  return false;
}

function hostAt(text: Bytes, from: i32): Bytes {
  let end = from;
  while (end < text.length && text.at(end) != 47 && text.at(end) != 58 && text.at(end) != 63) end++;
  return text.slice(from, end);
}

function liesAt(value: Bytes, from: i32, text: ArrayBuffer): bool {
  if (value.length - from < text.byteLength) return false;
  for (let i = 0; i < text.byteLength; i++)
    if (lower(value.at(from + i)) != <i32>load<u8>(changetype<usize>(text) + i)) return false;
  return true;
}
