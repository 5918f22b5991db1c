import { ByteWriter } from '@weir/filters-sdk/assembly';
import { Config } from '@weir/filters-sdk/assembly/config';

const YEAR: i64 = 31_536_000_000;

/** The value of a Cache-Control field, or of one for certain caches (RFC 9111, section 5.2.2; RFC 9213). */
export class Directives {
  /** Caches that many people share may keep the answer. */
  shared: bool = false;
  readonly text: ByteWriter = new ByteWriter(64);

  static read(config: Config): Directives {
    const directives = new Directives();
    const visibility = config.choice('visibility', ['unset', 'public', 'private']);
    const noStore = config.boolean('noStore', false);
    if (visibility == 1) directives.add('public');
    if (visibility == 2) directives.add('private');
    if (noStore) directives.add('no-store');
    if (config.boolean('noCache', false)) directives.add('no-cache');
    directives.addTime(config, 'maxAge', 'max-age');
    directives.addTime(config, 'sMaxAge', 's-maxage');
    if (config.boolean('mustRevalidate', false)) directives.add('must-revalidate');
    if (config.boolean('immutable', false)) directives.add('immutable');
    if (config.boolean('noTransform', false)) directives.add('no-transform');
    directives.addTime(config, 'staleWhileRevalidate', 'stale-while-revalidate');
    directives.addTime(config, 'staleIfError', 'stale-if-error');
    if (directives.text.length == 0) config.fault('maxAge', 'at least one directive is needed');
    if (noStore && (config.has('maxAge') || config.has('sMaxAge') || visibility == 1))
      config.fault('noStore', 'what must not be stored has no age and is not public');
    if (visibility == 2 && config.has('sMaxAge'))
      config.fault('sMaxAge', 'is for shared caches, which do not keep what is private');
    directives.shared = visibility != 2 && !noStore;
    return directives;
  }

  private addTime(config: Config, member: string, name: string): void {
    if (!config.has(member)) return;
    this.add(name);
    this.text.addByte(61).addNumber(config.duration(member, 0, YEAR, 1) / 1000);
  }

  private add(name: string): void {
    if (this.text.length > 0) this.text.add(', ');
    this.text.add(name);
  }
}
