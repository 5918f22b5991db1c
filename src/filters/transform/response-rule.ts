import { HeaderMap } from '@weir/filters-sdk/assembly';
import { Config } from '@weir/filters-sdk/assembly/config';
import { BodyEdit } from './body-edit';
import { SetCookieEdits } from './set-cookies';
import { When } from './when';

/** What happens to the answers of one `when`. */
export class ResponseRule {
  readonly when: When;
  body: BodyEdit | null = null;
  private cookies: SetCookieEdits | null = null;

  /** @param text of the configuration */
  constructor(text: ArrayBuffer, config: Config) {
    this.when = When.read(config.object('when'), true);
    if (config.has('cookies')) this.cookies = SetCookieEdits.read(config.object('cookies'));
    if (config.has('body')) this.body = BodyEdit.read(text, config.object('body'), true);
  }

  holdsFor(status: i32, headers: HeaderMap): bool {
    return this.when.holdsForStatus(status) && this.when.holdsForTypes(headers);
  }

  applyToHead(): void {
    const cookies = this.cookies;
    if (cookies !== null) cookies.apply();
  }
}
