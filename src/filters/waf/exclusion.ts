import { Bytes, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { didYouMean } from '@weir/filters-sdk/assembly/nearest';
import { RuleBook, isNamed } from './rule-book';
import { Target } from './rule';

/** `args.comment` and the like. */
class Place {
  constructor(
    public targets: i32,
    /** Empty: all of them. */
    public name: ArrayBuffer,
  ) {}
}

export const PLACE_WORDS = ['args', 'cookies', 'headers', 'path', 'user-agent', 'referer', 'body', 'files'];
const PLACE_TARGETS = [
  Target.Args | Target.ArgNames,
  Target.Cookies,
  Target.Headers | Target.Protocol,
  Target.Path,
  Target.UserAgent,
  Target.Referer,
  Target.Body,
  Target.FileNames,
];

/** The bits of a word; 0: it is none. */
export function targetsOf(word: string): i32 {
  const at = PLACE_WORDS.indexOf(word);
  return at < 0 ? 0 : PLACE_TARGETS[at];
}

/** Matches that do not count. */
export class Exclusion {
  /** By rule: whether it is meant. */
  private rules: bool[] = [];
  private places: Place[] = [];
  private paths: ArrayBuffer[] = [];

  static read(value: JsonValue, book: RuleBook): Exclusion {
    const config = Config.of(value);
    const exclusion = new Exclusion();
    exclusion.readRules(config, book);
    const targets = config.items('targets');
    for (let i = 0; i < targets.length; i++) exclusion.readPlace(targets[i]);
    const paths = config.items('paths');
    for (let i = 0; i < paths.length; i++) {
      if (paths[i].kind != JsonKind.String || view(paths[i].text).indexOf(47) != 0)
        faultAt(paths[i], 'expected a path');
      exclusion.paths.push(paths[i].text);
    }
    if (!config.has('rules') && !config.has('targets'))
      faultAt(value, 'needs "rules" or "targets": without both nothing would be looked at');
    config.end();
    return exclusion;
  }

  private readRules(config: Config, book: RuleBook): void {
    const names = config.items('rules');
    for (let i = 0; i < book.rules.length; i++) this.rules.push(names.length == 0);
    for (let i = 0; i < names.length; i++) {
      const name = names[i].kind == JsonKind.String ? String.UTF8.decode(names[i].text) : '';
      if (!book.knows(name)) {
        const near = didYouMean(name, book.names());
        faultAt(names[i], 'no rule of this name' + (near.length > 0 ? near : ', such as sql/union or sql/*'));
      }
      for (let k = 0; k < book.rules.length; k++) if (isNamed(book.rules[k].id, name)) this.rules[k] = true;
    }
  }

  private readPlace(value: JsonValue): void {
    const text = value.kind == JsonKind.String ? String.UTF8.decode(value.text) : '';
    const dot = text.indexOf('.');
    const word = dot < 0 ? text : text.substring(0, dot);
    const targets = targetsOf(word);
    if (targets == 0 || dot == text.length - 1)
      faultAt(value, 'expected one of ' + PLACE_WORDS.join(', ') + ', or with a name, such as args.comment');
    this.places.push(new Place(targets, dot < 0 ? new ArrayBuffer(0) : utf8(text.substring(dot + 1))));
  }

  covers(rule: i32, target: i32, name: Bytes, path: Bytes): bool {
    return unchecked(this.rules[rule]) && this.hasPlace(target, name) && this.hasPath(path);
  }

  private hasPlace(target: i32, name: Bytes): bool {
    if (this.places.length == 0) return true;
    for (let i = 0; i < this.places.length; i++) {
      const place = this.places[i];
      if ((place.targets & target) == 0) continue;
      if (place.name.byteLength == 0 || name.equalsIgnoreCase(place.name)) return true;
    }
    return false;
  }

  /** A path that is listed stands for what is below it as well. */
  private hasPath(path: Bytes): bool {
    if (this.paths.length == 0) return true;
    for (let i = 0; i < this.paths.length; i++) {
      const known = view(this.paths[i]);
      if (!path.startsWith(known)) continue;
      const isWhole = path.length == known.length || known.at(known.length - 1) == 47;
      if (isWhole || path.at(known.length) == 47) return true;
    }
    return false;
  }
}
