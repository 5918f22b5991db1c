import { ByteWriter, Bytes, HeaderMap, Reply } from '@weir/filters-sdk/assembly';
import { Config, faultAt } from '@weir/filters-sdk/assembly/config';
import { sizeOfValue } from '@weir/filters-sdk/assembly/config-values';
import { Node, beginEdit, isUnclear } from './document';
import { formToJson, jsonToForm } from './forms';
import { ValueTemplate } from './json-value';
import { merge } from './merge';
import { Patch, Patched } from './patch';
import { Redactions } from './redactions';
import { Redactor } from './redactor';
import { Refusals } from './refusals';
import { MOST_DEPTH } from './scanner';
import { isJson } from './validator';
import { mediaType } from './when';

/** What came of an edit. */
export enum Outcome {
  Done,
  /** It is not what it says that it is, or not what can be edited. */
  Invalid,
  /** A `test` of the patch found another value. */
  Differs,
  /** The patch does not fit. */
  Failed,
}

/** How a body is gone through. */
export enum Mode {
  /** As a whole, when all of it is there. */
  Whole,
  /** As it comes. */
  Stream,
  /** Line by line (NDJSON). */
  Lines,
  /** Event by event (text/event-stream). */
  Events,
}

enum Conversion {
  None,
  FormToJson,
  JsonToForm,
}

const CHOICES = ['Deny', 'Pass'];
const CONVERSIONS = ['None', 'FormToJson', 'JsonToForm'];
const FORM = 'application/x-www-form-urlencoded';
const LINES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];
const NO_PATCH = new Patch();
const NO_REDACTIONS = new Redactions();

const first = new ByteWriter(1024);
const second = new ByteWriter(1024);
const whole = new Redactor();

/** What happens to the bodies of one rule. Order: FormToJson, patch, merge, redact, JsonToForm. */
export class BodyEdit {
  private conversion: Conversion = Conversion.None;
  private patch: Patch = NO_PATCH;
  private merge: ValueTemplate | null = null;
  redactions: Redactions = NO_REDACTIONS;
  private skipsFailed: bool = false;
  private passesInvalid: bool = false;
  private passesEncoded: bool = false;
  passesLarge: bool = false;
  asksForPlain: bool = false;
  maxBytes: i32 = 262144;
  maxDepth: i32 = 64;

  constructor(readonly refusals: Refusals) {}

  /** @param text of the configuration */
  static read(text: ArrayBuffer, config: Config, isAnswer: bool): BodyEdit {
    const status = <i32>config.integer('testStatus', 400, 599, isAnswer ? 502 : 422);
    const edit = new BodyEdit(new Refusals(isAnswer, status));
    edit.conversion = <Conversion>config.choice('convert', CONVERSIONS);
    edit.patch = Patch.read(text, config.items('patch'));
    edit.skipsFailed = config.choice('onPatchFailed', ['Deny', 'Skip']) == 1;
    const merge = config.member('merge');
    if (merge !== null) edit.merge = new ValueTemplate(text, merge);
    edit.redactions = Redactions.read(text, config.items('redact'));
    edit.passesInvalid = config.choice('onInvalid', CHOICES) == 1;
    edit.passesEncoded = config.choice('onEncoded', CHOICES) == 1;
    edit.passesLarge = config.choice('onOverflow', CHOICES) == 1;
    const size = config.member('maxBytes');
    if (size !== null) edit.maxBytes = <i32>sizeOfValue(size, 1, 1048576);
    edit.maxDepth = <i32>config.integer('maxDepth', 1, MOST_DEPTH, 64);
    if (isAnswer) edit.asksForPlain = config.boolean('requestIdentity', true);
    // The type has changed with the head, when the body comes.
    if (edit.conversion != Conversion.None && edit.passesInvalid)
      config.fault('onInvalid', 'what is converted cannot be passed on as it was');
    if (edit.conversion != Conversion.None && edit.passesLarge)
      config.fault('onOverflow', 'what is converted cannot be passed on as it was');
    if (!edit.changes && edit.redactions.isEmpty)
      faultAt(config.value, 'expected one of: convert, patch, merge, redact');
    return edit;
  }

  /** More than what is left out of it. */
  private get changes(): bool {
    return !this.patch.isEmpty || this.merge !== null || this.conversion != Conversion.None;
  }

  /** Without types in `when`: whether the body is of a type that this is for. */
  isForType(headers: HeaderMap): bool {
    const fields = headers.all();
    let any = false;
    while (fields.nextNamed('content-type')) {
      any = true;
      const type = mediaType(fields.value);
      if (this.conversion == Conversion.FormToJson) {
        if (type.equalsIgnoreCase(FORM)) return true;
      } else if (isJsonType(type) || isLinesType(type)) return true;
    }
    // Nobody knows what it is; to be redacted it has to be JSON.
    return !any && !this.redactions.isEmpty;
  }

  modeFor(headers: HeaderMap): Mode {
    const types = headers.all();
    const isKnown = types.nextNamed('content-type');
    const media = mediaType(isKnown ? Bytes.of(types.value.start, types.value.length) : types.value);
    // Of two types nobody knows which one the reader takes: it has to be a document then.
    if (isKnown && this.conversion == Conversion.None && !types.nextNamed('content-type')) {
      if (media.equalsIgnoreCase('text/event-stream')) return Mode.Events;
      if (isLinesType(media)) return Mode.Lines;
    }
    // What is to pass as it was must still be there when that turns out.
    return this.changes || this.passesInvalid ? Mode.Whole : Mode.Stream;
  }

  get typeAfter(): string | null {
    if (this.conversion == Conversion.None) return null;
    return this.conversion == Conversion.FormToJson ? 'application/json' : FORM;
  }

  /** What a body gets that is compressed or a part; null: it passes. */
  get encodedReply(): Reply | null {
    return this.passesEncoded ? null : this.refusals.encoded;
  }

  /** What a body gets whose edit came to this; null: it passes as it was. */
  replyTo(outcome: Outcome): Reply | null {
    if (outcome == Outcome.Differs) return this.refusals.differs;
    if (outcome == Outcome.Failed) return this.refusals.failed;
    return this.passesInvalid ? null : this.refusals.invalid;
  }

  /** Edits a whole text; {@link edited} has the new one, good until the next call. */
  edit(text: Bytes): Outcome {
    edited = text;
    if (this.conversion == Conversion.FormToJson) {
      const out = other();
      if (!formToJson(text, out)) return Outcome.Invalid;
      edited = out.view();
    }
    if (!this.patch.isEmpty || this.merge !== null || this.conversion == Conversion.JsonToForm) {
      if (!isJson(edited, this.maxDepth)) return Outcome.Invalid;
      const outcome = this.change();
      if (outcome != Outcome.Done) return outcome;
    }
    if (!this.redactions.isEmpty) {
      whole.start(this.redactions, this.maxDepth);
      const from = edited;
      const out = other();
      if (!whole.read(from, out) || !whole.finish(out)) return Outcome.Invalid;
      edited = out.view();
    }
    if (this.conversion != Conversion.JsonToForm) return Outcome.Done;
    beginEdit();
    const root = Node.ofText(edited);
    const out = other();
    if (!jsonToForm(root, out) || isUnclear()) return Outcome.Invalid;
    edited = out.view();
    return Outcome.Done;
  }

  /** Patch and merge. */
  private change(): Outcome {
    const text = edited;
    let root = Node.ofText(text);
    const start = root.start;
    const end = root.end;
    beginEdit();
    const patched = this.patch.apply(root);
    if (patched == Patched.Differs) return Outcome.Differs;
    if (patched == Patched.Failed) {
      if (!this.skipsFailed) return Outcome.Failed;
      // Nothing of it stays.
      beginEdit();
      root = Node.of(start, end, null);
    }
    const given = this.merge;
    if (given !== null) merge(root, Node.ofText(given.render()));
    if (isUnclear()) return Outcome.Invalid;
    const out = other();
    out.add(Bytes.of(text.start, <i32>(start - text.start)));
    root.write(out);
    out.add(Bytes.of(end, <i32>(text.start + text.length - end)));
    edited = out.view();
    return Outcome.Done;
  }
}

/** What {@link BodyEdit.edit} made, when it was done. */
export let edited: Bytes = changetype<Bytes>(0);

/** The buffer that `edited` does not lie in, emptied. */
function other(): ByteWriter {
  return (edited.start == first.view().start ? second : first).clear();
}

function isJsonType(type: Bytes): bool {
  return type.equalsIgnoreCase('application/json') || type.slice(type.length - 5).equalsIgnoreCase('+json');
}

function isLinesType(type: Bytes): bool {
  for (let i = 0; i < LINES.length; i++) if (type.equalsIgnoreCase(LINES[i])) return true;
  return false;
}
