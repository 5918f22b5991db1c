import { Bytes } from '@weir/filters-sdk/assembly';
import { Scanner } from './scanner';

/** Says whether a text is a JSON document. */
class Validator extends Scanner {
  accepts(text: Bytes, maxDepth: i32): bool {
    this.maxDepth = maxDepth;
    this.begin();
    return this.scan(text.start, text.start + text.length) && this.end();
  }

  protected nameBegins(_at: usize): void {}
  protected nameEnds(_at: usize): void {}
  protected valueBegins(_at: usize): void {}
  protected valueEnds(_at: usize): void {}
  protected listEnds(_at: usize): void {}
}

const validator = new Validator(0);

export function isJson(text: Bytes, maxDepth: i32): bool {
  return validator.accepts(text, maxDepth);
}
