import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { BodyEdit, Outcome, edited } from './body-edit';
import { behindEnd, endOfLine } from './lines';

const LF = 10;
const COLON = 58;

const data = new ByteWriter(1024);

/** What a line of an event says where its field is `data`; null for others (HTML Standard, section 9.2.6). */
function dataOf(line: Bytes): Bytes | null {
  // A byte order mark may stand in front of the first one.
  const from = line.length > 2 && line.at(0) == 0xef && line.at(1) == 0xbb && line.at(2) == 0xbf ? 3 : 0;
  const colon = line.indexOf(COLON, from);
  const end = colon < 0 ? line.length : colon;
  if (!line.slice(from, end).equals('data')) return null;
  const value = line.slice(end + 1);
  return value.length > 0 && value.at(0) == 32 ? value.slice(1) : value;
}

/** Writes an event of a text/event-stream with its data edited, as one document; one without data as it is. */
export function writeEvent(edit: BodyEdit, event: Bytes, out: ByteWriter): Outcome {
  data.clear();
  let any = false;
  for (let at = 0; at < event.length;) {
    const end = endOfLine(event, at);
    const value = dataOf(event.slice(at, end));
    at = behindEnd(event, end);
    if (value === null) continue;
    if (any) data.addByte(LF);
    data.add(value);
    any = true;
  }
  if (!any) {
    out.add(event);
    return Outcome.Done;
  }
  const outcome = edit.edit(data.view());
  if (outcome != Outcome.Done) return outcome;
  if (edited.equals(data.view())) {
    out.add(event);
    return Outcome.Done;
  }
  let isWritten = false;
  for (let at = 0; at < event.length;) {
    const end = endOfLine(event, at);
    const isData = dataOf(event.slice(at, end)) !== null;
    const next = behindEnd(event, end);
    if (!isData) out.add(event.slice(at, next));
    else if (!isWritten) {
      isWritten = true;
      writeData(event.slice(end, next), out);
    }
    at = next;
  }
  return Outcome.Done;
}

/** @param lineEnd as the event has it; nothing where the stream was cut off */
function writeData(lineEnd: Bytes, out: ByteWriter): void {
  for (let from = 0; from <= edited.length;) {
    const feed = edited.indexOf(LF, from);
    const end = feed < 0 ? edited.length : feed;
    out.add('data: ').add(edited.slice(from, end));
    if (feed < 0) out.add(lineEnd);
    else out.addByte(LF);
    from = end + 1;
  }
}
