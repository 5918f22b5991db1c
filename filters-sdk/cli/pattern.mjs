// Regular expressions of configuration classes: turned into a table that a filter can run in a few lines,
// since AssemblyScript has no regular expressions. Syntax and meaning are those of JavaScript with the flag
// `u`, as JSON Schema has them, without what a finite automaton cannot do.

const MAX_STATES = 2000;
const MAX_REPEAT = 1000;
const MAX_NODES = 20_000;
const LAST = 0x10ffff;

const DIGITS = [[0x30, 0x39]];
const WORD = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const SPACE = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const CONTROLS = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/**
 * The table of a pattern that a whole text, in UTF-8, must match. Layout in bytes, numbers in u16
 * little-endian where two are named:
 *
 *     states (2) | ranges (2) | last byte and class of each range | accepting flag of each state |
 *     next state by state and class (2, or 1 where there are at most 256 states)
 *
 * Ranges of bytes follow each other from 0 to 255. State 0 is where nothing matches any more, 1 the start.
 *
 * @param {string} pattern
 * @returns {number[]} bytes
 * @throws {Error} what is wrong with the pattern, or not offered
 */
export function patternTable(pattern) {
  const { sets, moves, start, accept } = automaton(new Reader(pattern).read());
  const { classes, ranges } = classify(sets);
  const { next, accepting } = minimal(determine(moves, start, accept, classes), ranges.classes);
  const u16 = (value) => [value & 255, value >> 8];
  return [
    ...u16(accepting.length),
    ...u16(ranges.list.length),
    ...ranges.list.flatMap(({ last, of }) => [last, of]),
    ...accepting.map(Number),
    ...next.flat().flatMap(accepting.length > 256 ? u16 : (state) => [state]),
  ];
}

/** Text to a tree: `set` (ranges of code points), `sequence`, `either`, `repeat`. */
class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  read() {
    const tree = this.either();
    if (this.at < this.text.length) throw this.fault('")" without "("');
    return tree;
  }

  either() {
    const of = [this.sequence()];
    while (this.take('|')) of.push(this.sequence());
    return of.length === 1 ? of[0] : { type: 'either', of };
  }

  sequence() {
    const of = [];
    while (this.at < this.text.length && !this.sees('|') && !this.sees(')')) of.push(this.repeated());
    return { type: 'sequence', of };
  }

  repeated() {
    const of = this.atom();
    const counts = /^(?:([*+?])|\{(\d{1,6})(?:(,)(\d{0,6}))?\})/.exec(this.text.slice(this.at, this.at + 20));
    if (counts === null) return of;
    this.at += counts[0].length;
    if (/[*+?{]/.test(this.text[this.at] ?? '')) throw this.fault('a repetition of a repetition');
    const [, sign, least, comma, most] = counts;
    const min = sign === undefined ? Number(least) : sign === '+' ? 1 : 0;
    const max =
      sign !== undefined
        ? sign === '?'
          ? 1
          : Infinity
        : comma === undefined
          ? min
          : most === ''
            ? Infinity
            : Number(most);
    if (max < min) throw this.fault('the second count is smaller than the first');
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT))
      throw this.fault(`more than ${MAX_REPEAT} repetitions`);
    return { type: 'repeat', of, min, max };
  }

  atom() {
    const point = this.text.codePointAt(this.at);
    const char = String.fromCodePoint(point);
    this.at += char.length;
    if (char === '(') return this.group();
    if (char === '[') return this.class();
    if (char === '.') return { type: 'set', ranges: opposite(LINE_ENDS) };
    if (char === '^' || char === '$') throw this.fault(`a whole value is matched: leave out "${char}"`);
    if ('*+?{}]'.includes(char))
      throw this.fault(`"${char}" stands alone; write "\\${char}" for the character`);
    return { type: 'set', ranges: char === '\\' ? this.escape() : [[point, point]] };
  }

  group() {
    if (this.take('?') && !this.take(':')) throw this.fault('only groups "(…)" and "(?:…)" are offered');
    const tree = this.either();
    if (!this.take(')')) throw this.fault('")" is missing');
    return tree;
  }

  /** What comes behind a backslash, as ranges. */
  escape() {
    const char = this.text[this.at++];
    const named = { d: DIGITS, w: WORD, s: SPACE }[char?.toLowerCase()];
    if (named !== undefined) return char === char.toLowerCase() ? named : opposite(named);
    const control = Object.hasOwn(CONTROLS, char ?? '') ? CONTROLS[char] : undefined;
    if (control !== undefined) return [[control, control]];
    const hex = { x: /^[0-9A-Fa-f]{2}/, u: /^[0-9A-Fa-f]{4}/ }[char]?.exec(this.text.slice(this.at));
    if (hex) {
      this.at += hex[0].length;
      const point = parseInt(hex[0], 16);
      return [[point, point]];
    }
    // The flag `u` allows no others.
    if (char === undefined || !/[\^$\\.*+?()[\]{}|/-]/.test(char))
      throw this.fault(`"\\${char ?? ''}" is not offered`);
    return [[char.charCodeAt(0), char.charCodeAt(0)]];
  }

  class() {
    const negated = this.take('^');
    const ranges = [];
    while (!this.take(']')) {
      const from = this.classItem();
      const single = from.length === 1 && from[0][0] === from[0][1];
      if (!single || !this.sees('-') || this.text[this.at + 1] === ']') {
        ranges.push(...from);
        continue;
      }
      this.at++;
      const to = this.classItem();
      if (to.length !== 1 || to[0][0] !== to[0][1] || to[0][0] < from[0][0])
        throw this.fault('a range must go from a smaller character to a larger one');
      ranges.push([from[0][0], to[0][0]]);
    }
    if (ranges.length === 0) throw this.fault('an empty class');
    return { type: 'set', ranges: negated ? opposite(ranges) : ranges };
  }

  classItem() {
    const point = this.text.codePointAt(this.at);
    if (point === undefined) throw this.fault('"]" is missing');
    this.at += point > 0xffff ? 2 : 1;
    return point === 0x5c ? this.escape() : [[point, point]];
  }

  sees(text) {
    return this.text.startsWith(text, this.at);
  }

  take(text) {
    const seen = this.sees(text);
    if (seen) this.at += text.length;
    return seen;
  }

  fault(message) {
    return new Error(`pattern "${this.text}": ${message}, at ${this.at}`);
  }
}

function opposite(ranges) {
  const result = [];
  let from = 0;
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (low > from) result.push([from, low - 1]);
    from = Math.max(from, high + 1);
  }
  if (from <= LAST) result.push([from, LAST]);
  return result;
}

/** A tree to moves from state to state, each with a range of bytes or none. */
function automaton(tree) {
  const moves = [];
  const sets = [];
  const state = () => {
    if (moves.push([]) > MAX_NODES) throw new Error('the pattern is too large');
    return moves.length - 1;
  };
  const link = (from, to, bytes = null) => {
    if (bytes !== null) sets.push(bytes);
    moves[from].push({ to, bytes });
  };
  /** Adds what a node matches between two states. */
  const add = (node, from, to) => {
    if (node.type === 'set') {
      for (const [low, high] of node.ranges)
        for (const parts of utf8Ranges(low, high)) {
          let at = from;
          parts.forEach((part, i) => {
            const next = i === parts.length - 1 ? to : state();
            link(at, next, part);
            at = next;
          });
        }
    } else if (node.type === 'either') {
      for (const branch of node.of) add(branch, from, to);
    } else if (node.type === 'sequence') {
      let at = from;
      for (const part of node.of) {
        const next = state();
        add(part, at, next);
        at = next;
      }
      link(at, to);
    } else {
      let at = from;
      const step = () => {
        const next = state();
        add(node.of, at, next);
        at = next;
      };
      for (let i = 0; i < node.min; i++) step();
      if (node.max === Infinity) {
        const loop = state();
        link(at, loop);
        const back = state();
        add(node.of, loop, back);
        link(back, loop);
        link(loop, to);
      } else {
        for (let i = node.min; i < node.max; i++) {
          link(at, to);
          step();
        }
        link(at, to);
      }
    }
  };
  const start = state();
  const accept = state();
  add(tree, start, accept);
  return { sets, moves, start, accept };
}

/** The sequences of ranges of bytes that are the UTF-8 of a range of code points. */
function utf8Ranges(low, high) {
  if (low > high) return [];
  if (low < 0xd800 && high >= 0xd800) return [...utf8Ranges(low, 0xd7ff), ...utf8Ranges(0xd800, high)];
  if (low >= 0xd800 && low <= 0xdfff) return utf8Ranges(0xe000, high);
  for (const last of [0x7f, 0x7ff, 0xffff])
    if (low <= last && high > last) return [...utf8Ranges(low, last), ...utf8Ranges(last + 1, high)];
  const first = Buffer.from(String.fromCodePoint(low));
  const last = Buffer.from(String.fromCodePoint(high));
  // Bytes after one that differs must span all that they can.
  for (let i = 1; i < first.length; i++) {
    const mask = (1 << (6 * i)) - 1;
    if ((low & ~mask) === (high & ~mask)) continue;
    if ((low & mask) !== 0) return [...utf8Ranges(low, low | mask), ...utf8Ranges((low | mask) + 1, high)];
    if ((high & mask) !== mask)
      return [...utf8Ranges(low, (high & ~mask) - 1), ...utf8Ranges(high & ~mask, high)];
  }
  return [[...first].map((byte, i) => [byte, last[i]])];
}

/** Bytes that no range of the pattern tells apart are one class. */
function classify(sets) {
  const borders = [...new Set([0, 256, ...sets.flatMap(([low, high]) => [low, high + 1])])].sort(
    (a, b) => a - b,
  );
  const known = new Map();
  const classes = new Uint8Array(256);
  const list = [];
  for (let i = 0; i + 1 < borders.length; i++) {
    const byte = borders[i];
    const key = sets.map(([low, high]) => (byte >= low && byte <= high ? 1 : 0)).join('');
    if (!known.has(key)) known.set(key, known.size);
    const of = known.get(key);
    classes.fill(of, byte, borders[i + 1]);
    if (list.at(-1)?.of === of) list.at(-1).last = borders[i + 1] - 1;
    else list.push({ last: borders[i + 1] - 1, of });
  }
  return { classes, ranges: { list, classes: known.size } };
}

/** One state for each set of states that can be reached together: 0 the empty set, 1 the start. */
function determine(moves, start, accept, classes) {
  const samples = [...new Set(classes)].sort((a, b) => a - b).map((of) => classes.indexOf(of));
  const closed = (states) => {
    const all = new Set(states);
    for (const state of all) for (const { to, bytes } of moves[state]) if (bytes === null) all.add(to);
    return [...all].sort((a, b) => a - b);
  };
  const numbers = new Map([['', 0]]);
  const sets = [[]];
  const numberOf = (states) => {
    const key = states.join();
    if (!numbers.has(key)) {
      numbers.set(key, sets.length);
      if (sets.push(states) > MAX_STATES) throw new Error('the pattern is too large');
    }
    return numbers.get(key);
  };
  numberOf(closed([start]));
  const next = [];
  for (let i = 0; i < sets.length; i++) {
    next.push(
      samples.map((byte) => {
        const reached = sets[i].flatMap((state) =>
          moves[state].filter(({ bytes }) => bytes !== null && byte >= bytes[0] && byte <= bytes[1]),
        );
        return numberOf(closed(reached.map(({ to }) => to)));
      }),
    );
  }
  return { next, accepting: sets.map((states) => states.includes(accept)) };
}

/** Puts together states that no rest of a text tells apart; 0 and 1 keep their numbers. */
function minimal({ next, accepting }) {
  let groups = accepting.map(Number);
  for (let count = 0; ;) {
    const numbers = new Map();
    // The dead state and the start come first, so that they are groups 0 and 1.
    const refined = next.map((to, state) => {
      const key = [groups[state], ...to.map((other) => groups[other])].join();
      if (!numbers.has(key)) numbers.set(key, numbers.size);
      return numbers.get(key);
    });
    groups = refined;
    if (numbers.size === count) break;
    count = numbers.size;
  }
  const kept = groups
    .map((group, state) => (groups.indexOf(group) === state ? state : -1))
    .filter((s) => s >= 0);
  // A pattern that matches nothing has a start that is as dead as the other.
  if (groups[1] === 0) kept.splice(1, 0, 0);
  return {
    next: kept.map((state) => next[state].map((to) => groups[to])),
    accepting: kept.map((state) => accepting[state]),
  };
}
