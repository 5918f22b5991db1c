/** Reads the scripts of WebAssembly's test suite: a list of commands, each an S-expression. */

export interface List {
  readonly kind: 'list';
  readonly items: readonly Node[];
  /** As it stands in the script. */
  readonly text: string;
}

export interface Atom {
  readonly kind: 'atom';
  /** A word, or the bytes of a string. */
  readonly text: string;
  readonly bytes: Buffer | null;
}

export type Node = List | Atom;

/** @throws Error on text that is not a list of S-expressions */
export function readScript(source: string): List[] {
  let at = 0;
  const space = (): void => {
    for (;;) {
      const rest = source[at];
      if (rest === ';' && source[at + 1] === ';') {
        while (at < source.length && source[at] !== '\n') at++;
      } else if (rest === '(' && source[at + 1] === ';') {
        let depth = 0;
        do {
          if (source.startsWith('(;', at)) depth++;
          else if (source.startsWith(';)', at)) depth--;
          at += source.startsWith('(;', at) || source.startsWith(';)', at) ? 2 : 1;
        } while (depth > 0 && at < source.length);
      } else if (rest !== undefined && /\s/.test(rest)) at++;
      else return;
    }
  };
  const node = (): Node => {
    const start = at;
    if (source[at] === '(') {
      at++;
      const items: Node[] = [];
      for (;;) {
        space();
        if (at >= source.length) throw new Error('a list does not end');
        if (source[at] === ')') break;
        items.push(node());
      }
      at++;
      return { kind: 'list', items, text: source.slice(start, at) };
    }
    if (source[at] === '"') {
      const bytes = string();
      return { kind: 'atom', text: source.slice(start, at), bytes };
    }
    // Annotations: `(@name …)` is read as a list, its strings as any.
    while (at < source.length && !/[\s()"]/.test(source[at]!) && !source.startsWith(';;', at)) at++;
    if (at === start) throw new Error(`${JSON.stringify(source[at])} is not expected`);
    return { kind: 'atom', text: source.slice(start, at), bytes: null };
  };
  const string = (): Buffer => {
    const parts: Buffer[] = [];
    at++;
    while (source[at] !== '"') {
      if (at >= source.length) throw new Error('a string does not end');
      if (source[at] !== '\\') {
        const point = String.fromCodePoint(source.codePointAt(at)!);
        parts.push(Buffer.from(point));
        at += point.length;
        continue;
      }
      const escape = source[at + 1]!;
      const simple = { t: '\t', n: '\n', r: '\r', '"': '"', "'": "'", '\\': '\\' }[escape];
      if (simple !== undefined) {
        parts.push(Buffer.from(simple));
        at += 2;
      } else if (escape === 'u') {
        const end = source.indexOf('}', at);
        parts.push(Buffer.from(String.fromCodePoint(parseInt(source.slice(at + 3, end), 16))));
        at = end + 1;
      } else {
        parts.push(Buffer.from([parseInt(source.slice(at + 1, at + 3), 16)]));
        at += 3;
      }
    }
    at++;
    return Buffer.concat(parts);
  };
  const commands: List[] = [];
  for (space(); at < source.length; space()) {
    const command = node();
    if (command.kind === 'atom') throw new Error(`${command.text} stands alone`);
    commands.push(command);
  }
  return commands;
}

/** First word of a list; empty where it is not one. */
export function head(node: Node | undefined): string {
  if (node?.kind !== 'list') return '';
  const first = node.items[0];
  return first?.kind === 'atom' ? first.text : '';
}

/** The words behind the head. */
export function tail(node: Node): readonly Node[] {
  return node.kind === 'list' ? node.items.slice(1) : [];
}
