/**
 * Text of a configuration that is shown to people: messages and the lines beside them go to terminals, logs and code hosts, where
 * a credential must not be.
 */

/** A value that stands behind the name of a credential: a list, a quoted or a plain scalar, no mapping. */
const CREDENTIAL =
  /(\b(?:secrets?|secretRef|passwordRef|clientSecret|cookieSecrets?|password|passphrase|hash|sha256|token|privateKey|key)["']?\s*:\s*)(\[[^\]]*\]?|"[^"]*"?|'[^']*'?|[^\s,}\]{#&*|>][^,}\]#]*)/g;
/** What is secret of a JSON Web Key (RFC 7518, section 6), where it is long enough to be that. */
const PRIVATE_PART = /(\b(?:d|k|p|q|dp|dq|qi)["']?\s*:\s*["']?)([A-Za-z0-9_-]{20,})/g;
const NAME = /^\w+/;
/** User and password in front of a URL's host. */
const USER_INFO = /(\/\/)([^/@\s"']+)(?=@)/g;
const DIGEST = /^["']?[0-9a-fA-F]{64}["']?\s*$/;

/** A line of YAML with its credentials made unreadable, as long as before, so that columns stay what they are. */
export function withoutCredentials(line: string): string {
  return line
    .replaceAll(CREDENTIAL, (all: string, before: string, value: string, at: number) =>
      isHarmless(NAME.exec(before)![0], value, line.slice(0, at))
        ? all
        : before + value.replaceAll(/[^\s[\],"']/g, '*'),
    )
    .replaceAll(PRIVATE_PART, (_, before: string, value: string) => before + '*'.repeat(value.length))
    .replaceAll(USER_INFO, (_, slashes: string, user: string) => slashes + '*'.repeat(user.length));
}

/** The same for one value that a message tells. */
export function withoutUserInfo(text: string): string {
  return text.replaceAll(USER_INFO, '$1…');
}

/** Digests of modules; names within Secrets, and of attributes and templates, of which keys of limits are made. */
function isHarmless(name: string, value: string, before: string): boolean {
  if (name === 'sha256') return DIGEST.test(value);
  if (name !== 'key') return false;
  return (
    value.startsWith('[') ||
    /[.$]/.test(value) ||
    value.trim().length < 12 ||
    /Ref["']?\s*:\s*\{[^}]*$/.test(before)
  );
}
