import { ByteWriter, Bytes, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { Config } from '@weir/filters-sdk/assembly/config';
import { BodyEdit } from './body-edit';
import { PartEdits, Style } from './part-edits';
import { PathEdit } from './path-edit';
import { When } from './when';

const PATH = utf8(':path');
const COOKIE = utf8('cookie');

const rewritten = new ByteWriter(1024);
const joined = new ByteWriter(512);

/** What happens to the requests of one `when`. */
export class RequestRule {
  readonly when: When;
  body: BodyEdit | null = null;
  private path: PathEdit | null = null;
  private query: PartEdits;
  private cookies: PartEdits;

  /** @param text of the configuration */
  constructor(text: ArrayBuffer, config: Config) {
    this.when = When.read(config.object('when'), false);
    if (config.has('path')) this.path = PathEdit.read(config.object('path'));
    this.query = new PartEdits(Style.Query).read(config.object('query'));
    this.cookies = new PartEdits(Style.Cookie).read(config.object('cookies'));
    if (config.has('body')) this.body = BodyEdit.read(text, config.object('body'), false);
  }

  /** @returns false where a variable does not fit into the path */
  applyToHead(whole: Bytes): bool {
    if (!this.cookies.isEmpty) this.applyToCookies();
    const mark = whole.indexOf(63);
    const path = mark < 0 ? whole : whole.slice(0, mark);
    const edit = this.path;
    const isMoved = edit !== null && edit.matches(path);
    if (!isMoved && this.query.isEmpty) return true;
    rewritten.clear();
    if (!isMoved) rewritten.add(path);
    else if (!edit!.write(path, rewritten)) return false;
    const query = this.query.apply(mark < 0 ? whole.slice(whole.length) : whole.slice(mark + 1));
    if (query.length > 0 || (this.query.isEmpty && mark >= 0)) rewritten.addByte(63).add(query);
    // Setting it has the host find the route again.
    if (!rewritten.view().equals(whole)) requestHeaders.set(PATH, rewritten.view());
    return true;
  }

  private applyToCookies(): void {
    joined.clear();
    const fields = requestHeaders.all();
    while (fields.nextNamed(COOKIE)) {
      if (joined.length > 0) joined.addByte(59).addByte(32);
      joined.add(fields.value);
    }
    const cookies = this.cookies.apply(joined.view());
    if (cookies.equals(joined.view())) return;
    if (cookies.length == 0) requestHeaders.remove(COOKIE);
    else requestHeaders.set(COOKIE, cookies);
  }
}
