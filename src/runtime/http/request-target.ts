import { BAD_AUTHORITY, normaliseAuthority } from './authority.ts';
import { type HeaderBlock, Pseudo } from './headers.ts';
import { MethodId } from './method.ts';
import { type StartLine, TargetForm } from './start-line.ts';

const SLASH = Buffer.from('/', 'latin1');
const ASTERISK = Buffer.from('*', 'latin1');

/**
 * Settles `:authority` and `:path` of a request once its head is in the block's arena, from the target as
 * the request line gave it and the Host field.
 *
 * @returns false where one of them is malformed
 */
export function settleTarget(
  block: HeaderBlock,
  line: StartLine,
  hostStart: number,
  hostEnd: number,
  hasHost: boolean,
  secure: boolean,
): boolean {
  const { bytes, spans } = block;
  const authority = 4 * Pseudo.Authority;
  if (hasHost) {
    // Checked even where an absolute target replaces it.
    const end = normaliseAuthority(bytes, hostStart, hostEnd, secure ? 443 : 80);
    if (end === BAD_AUTHORITY) return false;
    if (line.form !== TargetForm.Absolute) {
      spans[authority + 2] = hostStart;
      spans[authority + 3] = end;
    }
  }
  if (line.form !== TargetForm.Absolute) return true;
  // The authority of an absolute target replaces Host (RFC 9112, section 3.2.2).
  const end = normaliseAuthority(bytes, spans[authority + 2]!, spans[authority + 3]!, line.defaultPort);
  if (end === BAD_AUTHORITY) return false;
  spans[authority + 3] = end;
  settlePath(block, line.method);
  return true;
}

/** An absolute target without a path means `/`, and for OPTIONS without a query `*` (RFC 9112, section 3.2.4). */
function settlePath(block: HeaderBlock, method: MethodId): void {
  const start = block.spans[4 * Pseudo.Path + 2]!;
  const end = block.spans[4 * Pseudo.Path + 3]!;
  if (start === end) {
    block.setValue(Pseudo.Path, method === MethodId.Options ? ASTERISK : SLASH, 0, 1);
  } else if (block.bytes[start] !== SLASH[0]) {
    const path = Buffer.concat([SLASH, block.bytes.subarray(start, end)]);
    block.setValue(Pseudo.Path, path, 0, path.length);
  }
}
