import { Action, Body, ByteWriter, Bytes, Reply, resetStream } from '@weir/filters-sdk/assembly';
import { BodyEdit, Mode, Outcome, edited } from './body-edit';
import { writeEvent } from './events';
import { kept } from './json-value';
import { behindEvent, behindLine, lastKnown, lastLine } from './lines';
import { Redactor } from './redactor';

const out = new ByteWriter(4096);
/** A buffer that has grown beyond this is not kept for the next stream. */
const MOST_SPARE = 16384;

/** The way of one body through its edit. */
export class BodyRun {
  private edit: BodyEdit | null = null;
  private mode: Mode = Mode.Whole;
  private redactor: Redactor | null = null;
  /** Of lines and events: the beginning of one that is still to come. */
  private rest: ByteWriter = new ByteWriter(0);
  /** Where its last line begins, and how far that has been looked through for its end. */
  private line: i32 = 0;
  private known: i32 = 0;
  private any: bool = false;
  /** Something of it has gone on, so that no other answer can be given. */
  private isOut: bool = false;
  private isRefused: bool = false;

  begin(edit: BodyEdit, mode: Mode): void {
    this.edit = edit;
    this.mode = mode;
    if (mode != Mode.Stream) return;
    let redactor = this.redactor;
    if (redactor === null) this.redactor = redactor = new Redactor();
    redactor.start(edit.redactions, edit.maxDepth);
  }

  get isEdited(): bool {
    return this.edit !== null;
  }

  /** For another stream. */
  reset(): void {
    this.edit = null;
    this.line = 0;
    this.known = 0;
    this.any = false;
    this.isOut = false;
    this.isRefused = false;
    if (this.rest.length > MOST_SPARE) this.rest = new ByteWriter(0);
    else this.rest.clear();
  }

  /** In the body's callback. */
  read(body: Body, size: i32, isEnd: bool): Action {
    const edit = this.edit;
    if (edit === null) return Action.Continue;
    if (this.isRefused) return Action.Pause;
    if (size > 0) this.any = true;
    // No body at all is nothing to edit.
    if (!this.any) return Action.Continue;
    if (this.mode == Mode.Whole) return this.readWhole(edit, body, size, isEnd);
    const text = body.read();
    // A host that does not show it must not pass it on.
    if (text.length != size) return this.refuse(edit.refusals.invalid);
    out.clear();
    const reply =
      this.mode == Mode.Stream ? this.readPiece(edit, text, isEnd) : this.readParts(edit, text, isEnd);
    if (reply !== null) return this.refuse(reply);
    if (!out.view().equals(text)) body.replace(out.view());
    if (out.length > 0) this.isOut = true;
    return Action.Continue;
  }

  /** In the callback of the trailers: the body ended without a word. */
  end(body: Body): Action {
    const edit = this.edit;
    if (edit === null || !this.any) return Action.Continue;
    if (this.isRefused) return Action.Pause;
    if (this.mode == Mode.Whole) return this.readWhole(edit, body, 0, true);
    out.clear();
    const none = Bytes.of(0, 0);
    const reply =
      this.mode == Mode.Stream ? this.readPiece(edit, none, true) : this.readParts(edit, none, true);
    if (reply !== null) return this.refuse(reply);
    // What was kept of it has no place to go to where the host has let the body go.
    if (out.length > 0 && !body.append(out.view())) return this.refuse(edit.refusals.invalid);
    return Action.Continue;
  }

  private readWhole(edit: BodyEdit, body: Body, size: i32, isEnd: bool): Action {
    if (size > edit.maxBytes) {
      if (!edit.passesLarge) return this.refuse(edit.refusals.large);
      this.edit = null;
      return Action.Continue;
    }
    if (!isEnd) return Action.Pause;
    const text = body.read();
    const outcome = text.length == 0 ? Outcome.Invalid : edit.edit(text);
    if (outcome == Outcome.Done) {
      if (!edited.equals(text)) body.replace(edited);
      return Action.Continue;
    }
    const reply = edit.replyTo(outcome);
    return reply === null ? Action.Continue : this.refuse(reply);
  }

  private readPiece(edit: BodyEdit, text: Bytes, isEnd: bool): Reply | null {
    const redactor = this.redactor!;
    const isRight = redactor.read(text, out) && (!isEnd || redactor.finish(out));
    return isRight ? null : edit.refusals.invalid;
  }

  /** Lines or events, those that are complete. */
  private readParts(edit: BodyEdit, text: Bytes, isEnd: bool): Reply | null {
    const rest = this.rest;
    const isHeld = rest.length > 0;
    const all = isHeld ? rest.add(text).view() : text;
    let from = 0;
    while (from < all.length) {
      const end = this.behindPart(all, from, isEnd);
      if (end < 0) break;
      const reply = this.readPart(edit, all.slice(from, end));
      if (reply !== null) return reply;
      this.line = 0;
      this.known = 0;
      from = end;
    }
    const left = all.slice(from);
    this.line -= from;
    this.known -= from;
    if (left.length > edit.maxBytes) {
      if (!edit.passesLarge) return edit.refusals.large;
      out.add(left);
      this.edit = null;
      return null;
    }
    // A long part comes in many pieces: what is kept already stays where it is.
    if (isHeld && from == 0) return null;
    const copy = isHeld ? kept(left) : left;
    rest.clear().add(copy);
    return null;
  }

  private behindPart(all: Bytes, from: i32, isEnd: bool): i32 {
    if (this.mode == Mode.Lines) {
      const end = behindLine(all, from, this.known, isEnd);
      if (end < 0) this.known = all.length;
      return end;
    }
    const end = behindEvent(all, from, this.line, this.known, isEnd);
    if (end < 0) {
      this.line = lastLine;
      this.known = lastKnown;
    }
    return end;
  }

  private readPart(edit: BodyEdit, part: Bytes): Reply | null {
    const outcome = this.mode == Mode.Lines ? writeLine(edit, part) : writeEvent(edit, part, out);
    if (outcome == Outcome.Done) return null;
    const reply = edit.replyTo(outcome);
    if (reply === null) out.add(part);
    return reply;
  }

  private refuse(reply: Reply): Action {
    this.isRefused = true;
    if (!this.isOut) return reply.send();
    resetStream();
    return Action.Pause;
  }
}

function writeLine(edit: BodyEdit, line: Bytes): Outcome {
  let end = line.length;
  while (end > 0 && (line.at(end - 1) == 10 || line.at(end - 1) == 13)) end--;
  const text = line.slice(0, end);
  if (text.trim().length > 0) {
    const outcome = text.length == 0 ? Outcome.Invalid : edit.edit(text);
    if (outcome != Outcome.Done) return outcome;
    out.add(edited);
  } else out.add(text);
  out.add(line.slice(end));
  return Outcome.Done;
}
