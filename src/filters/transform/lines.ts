import { Bytes } from '@weir/filters-sdk/assembly';

const LF = 10;
const CR = 13;

/** Behind the line of NDJSON that begins at `from`, its end included; -1 where more of it is to come. */
export function behindLine(text: Bytes, from: i32, isEnd: bool): i32 {
  const end = text.indexOf(LF, from);
  return end >= 0 ? end + 1 : isEnd ? text.length : -1;
}

/** Where the line that begins at `from` ends, in a stream of events: any of LF, CR and CRLF ends one. */
export function endOfLine(text: Bytes, from: i32): i32 {
  let at = from;
  while (at < text.length && text.at(at) != LF && text.at(at) != CR) at++;
  return at;
}

/** Behind what ends a line at `at`. */
export function behindEnd(text: Bytes, at: i32): i32 {
  if (at >= text.length) return text.length;
  const isPair = text.at(at) == CR && at + 1 < text.length && text.at(at + 1) == LF;
  return isPair ? at + 2 : at + 1;
}

/** Behind the event that begins at `from`, its empty line included; -1 where more of it is to come. */
export function behindEvent(text: Bytes, from: i32, isEnd: bool): i32 {
  let at = from;
  while (at < text.length) {
    const end = endOfLine(text, at);
    const next = behindEnd(text, end);
    // A line feed may follow.
    const isOpen = !isEnd && next == text.length && text.at(text.length - 1) == CR;
    if (end == at) return isOpen ? -1 : next;
    if (isOpen) return -1;
    at = next;
  }
  return isEnd ? text.length : -1;
}
