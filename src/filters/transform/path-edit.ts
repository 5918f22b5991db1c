import { ByteWriter, Bytes, view } from '@weir/filters-sdk/assembly';
import { Config } from '@weir/filters-sdk/assembly/config';
import { encodePart } from '@weir/filters-sdk/assembly/parts';
import { Template, parseTemplate, templateFault } from '@weir/filters-sdk/assembly/template';

const SLASH = 47;
/** Segments that a pattern names, where the path has them: offset and end. */
const starts = new StaticArray<i32>(32);
const ends = new StaticArray<i32>(32);

class Segment {
  constructor(
    /** Empty for one that stands for any. */
    readonly literal: ArrayBuffer,
    readonly name: string,
    readonly isRest: bool,
  ) {}
}

class Piece {
  constructor(
    readonly text: Template,
    /** Which segment of the pattern follows, -1 for none. */
    readonly segment: i32,
  ) {}
}

const NOTHING = new ArrayBuffer(0);

/** Another path for those of a pattern: `/v1/users/{id}/{rest...}` and `/v2/people/{id}/{rest}`. */
export class PathEdit {
  private segments: Segment[] = [];
  private pieces: Piece[] = [];

  static read(config: Config): PathEdit | null {
    const edit = new PathEdit();
    if (!edit.readPattern(config) || !edit.readTarget(config)) return null;
    return edit;
  }

  private readPattern(config: Config): bool {
    const pattern = view(config.text('pattern'));
    if (pattern.length == 0 || pattern.at(0) != SLASH) return fail(config, 'pattern', 'expected a path');
    for (let from = 1; from <= pattern.length;) {
      const slash = pattern.indexOf(SLASH, from);
      const end = slash < 0 ? pattern.length : slash;
      const text = pattern.slice(from, end);
      from = end + 1;
      const isNamed = text.length > 2 && text.at(0) == 123 && text.at(text.length - 1) == 125;
      if (!isNamed) {
        if (text.indexOf(123) >= 0 || text.indexOf(125) >= 0)
          return fail(config, 'pattern', 'a name in braces stands for a whole segment');
        this.segments.push(new Segment(text.copy(), '', false));
        continue;
      }
      const isRest = text.endsWith('...}');
      const name = text.slice(1, text.length - (isRest ? 4 : 1)).toString();
      if (isRest && end != pattern.length) return fail(config, 'pattern', '{name...} stands at the end');
      if (name.length == 0 || this.indexOf(name) >= 0)
        return fail(config, 'pattern', 'each segment needs a name of its own');
      this.segments.push(new Segment(NOTHING, name, isRest));
    }
    if (this.segments.length > starts.length) return fail(config, 'pattern', 'at most 32 segments');
    return true;
  }

  private readTarget(config: Config): bool {
    const target = view(config.text('to'));
    if (target.length == 0 || target.at(0) != SLASH) return fail(config, 'to', 'expected a path');
    if (target.indexOf(63) >= 0 || target.indexOf(35) >= 0 || target.indexOf(32) >= 0)
      return fail(config, 'to', 'expected a path without query; a blank is written %20');
    let from = 0;
    for (let at = 0; at < target.length; at++) {
      const byte = target.at(at);
      // A variable: parseTemplate has a look at it.
      if (byte == 36 && at + 1 < target.length && target.at(at + 1) == 123) {
        const end = target.indexOf(125, at);
        at = end < 0 ? target.length : end;
      } else if (byte == 123) {
        const end = target.indexOf(125, at);
        const name = target.slice(at + 1, end < 0 ? target.length : end).toString();
        const segment = this.indexOf(name);
        if (end < 0 || segment < 0) return fail(config, 'to', 'the pattern has no {' + name + '}');
        if (!this.addPiece(config, target.slice(from, at), segment)) return false;
        from = end + 1;
        at = end;
      }
    }
    return this.addPiece(config, target.slice(from), -1);
  }

  private addPiece(config: Config, text: Bytes, segment: i32): bool {
    const template = parseTemplate(text.copy());
    if (template === null) return fail(config, 'to', templateFault());
    this.pieces.push(new Piece(template, segment));
    return true;
  }

  private indexOf(name: string): i32 {
    for (let i = 0; i < this.segments.length; i++) if (this.segments[i].name == name && name != '') return i;
    return -1;
  }

  /** @param path without the query */
  matches(path: Bytes): bool {
    let from = 1;
    for (let i = 0; i < this.segments.length; i++) {
      const segment = this.segments[i];
      starts[i] = min(from, path.length);
      if (segment.isRest) {
        ends[i] = path.length;
        return true;
      }
      if (from > path.length) return false;
      const slash = path.indexOf(SLASH, from);
      const end = slash < 0 ? path.length : slash;
      ends[i] = end;
      const isSame =
        segment.name != '' ? end > from : path.slice(from, end).equals<ArrayBuffer>(segment.literal);
      if (!isSame) return false;
      from = end + 1;
    }
    return from > path.length;
  }

  /**
   * Writes the new path, after {@link PathEdit.matches}.
   *
   * @returns false where a variable would be a segment of another meaning: empty, or dots alone
   */
  write(path: Bytes, out: ByteWriter): bool {
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      if (!piece.text.renderInto(out, encodeVariable)) return false;
      if (piece.segment < 0) continue;
      const rest = path.slice(starts[piece.segment], ends[piece.segment]);
      out.add(rest);
      // `/v1` has no slash, so the path made of it ends without one, too.
      const isAbsent = rest.length == 0 && path.at(path.length - 1) != SLASH;
      const isLast = i + 2 == this.pieces.length && this.pieces[i + 1].text.isNothing;
      if (isAbsent && isLast && out.length > 1 && out.view().at(out.length - 1) == SLASH)
        out.truncate(out.length - 1);
    }
    return true;
  }
}

/** Nobody's name may lead to a parent, nor take a segment away. */
function encodeVariable(text: Bytes, into: ByteWriter): bool {
  if (text.length == 0 || text.equals('.') || text.equals('..')) return false;
  encodePart(text, into);
  return true;
}

function fail(config: Config, name: string, message: string): bool {
  config.fault(name, message);
  return false;
}
