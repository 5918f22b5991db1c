import { ADDRESSES } from './rules/addresses';
import { CLIENTS } from './rules/clients';
import { CODE } from './rules/code';
import { FILES } from './rules/files';
import { PHP } from './rules/php';
import { SHELL } from './rules/shell';
import { SQL } from './rules/sqli';
import { SUSPICIONS } from './rules/suspicions';
import { WINDOWS_SHELL } from './rules/windows';
import { XSS } from './rules/xss';
import { PatternSet } from './pattern-set';
import { Program } from './program';
import { Rule } from './rule';

/** The rules that are in force: those that ship with the filter, of the paranoia that was chosen, and own ones. */
export class RuleBook {
  readonly rules: Rule[] = [];
  private text: Program = new Program();
  private shell: Program = new Program();
  private textSet: PatternSet | null = null;
  private shellSet: PatternSet | null = null;

  constructor(private paranoia: i32) {
    this.addAll(SQL);
    this.addAll(XSS);
    this.addAll(FILES);
    this.addAll(ADDRESSES);
    this.addAll(SHELL);
    this.addAll(WINDOWS_SHELL);
    this.addAll(PHP);
    this.addAll(CODE);
    this.addAll(CLIENTS);
    this.addAll(SUSPICIONS);
  }

  private addAll(rules: Rule[]): void {
    for (let i = 0; i < rules.length; i++) {
      const fault = this.add(rules[i]);
      if (fault.length > 0) throw new Error(rules[i].id + ': ' + fault);
    }
  }

  /** @returns what is wrong with its pattern; empty: nothing */
  add(rule: Rule): string {
    const index = this.rules.push(rule) - 1;
    if (rule.pattern.length == 0 || rule.paranoia > this.paranoia) return '';
    // Where there is nothing to take off, the text is what a shell reads.
    if (rule.shell) this.shell.add(rule.pattern, index);
    return this.text.add(rule.pattern, index);
  }

  /** Builds what finds the patterns, once all rules are there. */
  finish(): void {
    this.textSet = new PatternSet(this.text, this.rules.length);
    this.shellSet = new PatternSet(this.shell, this.rules.length);
  }

  get inText(): PatternSet {
    return this.textSet!;
  }

  get inShell(): PatternSet {
    return this.shellSet!;
  }

  /** Index of a rule that holds at this paranoia; -1: it does not, or there is none. */
  indexOf(id: string): i32 {
    for (let i = 0; i < this.rules.length; i++)
      if (this.rules[i].id == id) return this.rules[i].paranoia <= this.paranoia ? i : -1;
    return -1;
  }

  /** What exclusions may name: rules, and classes of them such as `sql/*`. */
  names(): string[] {
    const names: string[] = [];
    for (let i = 0; i < this.rules.length; i++) {
      const id = this.rules[i].id;
      const all = id.substring(0, id.indexOf('/') + 1) + '*';
      if (!names.includes(all)) names.push(all);
      names.push(id);
    }
    return names;
  }

  /** Whether `sql/union`, or `sql/*`, names any. */
  knows(name: string): bool {
    for (let i = 0; i < this.rules.length; i++) if (isNamed(this.rules[i].id, name)) return true;
    return false;
  }
}

export function isNamed(id: string, name: string): bool {
  if (name.endsWith('/*')) return id.startsWith(name.substring(0, name.length - 1));
  return id == name;
}
