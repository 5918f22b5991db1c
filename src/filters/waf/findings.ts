import { Bytes, ByteWriter } from '@weir/filters-sdk/assembly';
import { Rule, Target } from './rule';

const MOST_NAME = 40;
const MOST_TOLD = 20;

/** What the rules found in one request. Kept over its callbacks, and used for the next one. */
export class Findings {
  score: i32 = 0;
  /** What looking has cost so far beyond a look-up for each byte, see `PatternSet`. */
  work: i32 = 0;
  /** Ids of rules, parted by commas. */
  readonly rules: ByteWriter = new ByteWriter(64);
  /** The same with where each was found; no values, which may be secrets. */
  readonly told: ByteWriter = new ByteWriter(128);
  private found: i32[] = [];

  clear(): void {
    this.score = 0;
    this.work = 0;
    this.rules.clear();
    this.told.clear();
    this.found.length = 0;
  }

  /** Each rule counts once for a request. */
  add(index: i32, rule: Rule, target: i32, name: Bytes): void {
    if (this.found.includes(index)) return;
    this.found.push(index);
    this.score += rule.severity;
    if (this.found.length > MOST_TOLD) return;
    if (this.found.length > 1) {
      this.rules.addByte(44);
      this.told.addByte(44);
    }
    this.rules.add(rule.id);
    this.told.addByte(34).add(rule.id).addByte(64).add(placeOf(target));
    if (name.length > 0) addName(name, this.told.addByte(46));
    this.told.addByte(34);
  }

  get any(): bool {
    return this.found.length > 0;
  }
}

function placeOf(target: i32): string {
  if ((target & (Target.Args | Target.ArgNames)) != 0) return 'args';
  if (target == Target.Cookies) return 'cookies';
  if (target == Target.Path) return 'path';
  if (target == Target.UserAgent) return 'user-agent';
  if (target == Target.Referer) return 'referer';
  if ((target & (Target.Headers | Target.Protocol)) != 0) return 'headers';
  if (target == Target.Body) return 'body';
  return target == Target.FileNames ? 'files' : 'request';
}

/** The client chose it: nothing but what cannot break a log. */
function addName(name: Bytes, to: ByteWriter): void {
  for (let i = 0; i < min(name.length, MOST_NAME); i++) {
    const byte = name.at(i);
    const letter = byte | 32;
    const plain = <u32>(letter - 97) < 26 || <u32>(byte - 48) < 10 || byte == 45 || byte == 46 || byte == 95;
    to.addByte(plain ? byte : 63);
  }
}
