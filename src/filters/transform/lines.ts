import { Bytes } from '@weir/filters-sdk/assembly';

const LF = 10;
const CR = 13;

/**
 * Behind the line of NDJSON that begins at `from`, its end included; -1 where more of it is to come.
 *
 * @param known nothing in front of this ends it
 */
export function behindLine(text: Bytes, from: i32, known: i32, isEnd: bool): i32 {
  const end = text.indexOf(LF, max(from, known));
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

/** Of {@link behindEvent} that found no end: where the last line begins, and how far that was looked through. */
export let lastLine = 0;
export let lastKnown = 0;

/**
 * Behind the event that begins at `from`, its empty line included; -1 where more of it is to come.
 *
 * @param line the beginning of a line of it, with no empty one before
 * @param known nothing in front of this ends that line
 */
export function behindEvent(text: Bytes, from: i32, line: i32, known: i32, isEnd: bool): i32 {
  let at = max(from, line);
  let end = endOfLine(text, max(at, known));
  while (at < text.length) {
    const next = behindEnd(text, end);
    // Neither an end, nor one behind which a line feed may follow.
    const isOpen = !isEnd && next == text.length && (end == next || text.at(next - 1) == CR);
    if (isOpen) break;
    if (end == at) return next;
    at = next;
    end = endOfLine(text, at);
  }
  lastLine = at;
  lastKnown = end;
  return isEnd ? text.length : -1;
}
