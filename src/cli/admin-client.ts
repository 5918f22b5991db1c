import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Option, type Command } from 'commander';
import { parseAdminAddress, type AdminAddress } from '../control/admin-address.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';

/** Of commands that ask a running weir. */
export interface AdminFlags {
  readonly admin: string;
  readonly adminTokenFile?: string;
}

export function adminOption(): Option {
  return new Option('--admin <address>', 'HOST:PORT or unix:PATH of the admin server').default(
    '127.0.0.1:9901',
  );
}

export function adminTokenOption(): Option {
  return new Option('--admin-token-file <file>', 'the token that it asks for');
}

/** Ends the command where `--admin` is no address. */
export function checkAdmin(flags: AdminFlags, command: Command): void {
  if (addressOf(flags) !== null) return;
  command.error(`error: --admin ${flags.admin}: expected HOST:PORT or unix:PATH`, {
    exitCode: ExitCode.Usage,
  });
}

/**
 * Asks the admin server, and resolves with the answer where its status is 200.
 *
 * @throws Failure in its words where it is another, or where there is no such weir
 */
export async function askAdmin(
  flags: AdminFlags,
  method: 'GET' | 'POST',
  path: string,
): Promise<IncomingMessage> {
  const address = addressOf(flags)!;
  if (address.kind === 'off') throw new Failure('--admin off: weir has to be asked over its admin server');
  const where =
    address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const token = flags.adminTokenFile === undefined ? null : readFileSync(flags.adminTokenFile, 'utf8').trim();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({
      ...where,
      method,
      path,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    })
      .once('response', resolve)
      .once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new Failure(
            `no weir answers at ${flags.admin} (${error.code ?? error.message}); --admin names its admin server`,
          ),
        ),
      )
      .end();
  });
  if (response.headers.server !== 'weir') {
    response.destroy();
    throw new Failure(`what answers at ${flags.admin} is no weir; --admin names its admin server`);
  }
  if (response.statusCode === 200) return response;
  throw new Failure((await textOf(response)).trim());
}

export async function textOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response as AsyncIterable<string>) text += chunk;
  return text;
}

/** Whole lines; one that is cut off at the end is left out. A connection that is cut is an end. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  } catch {
    // Ctrl-C, or weir ended.
  }
}

function addressOf({ admin }: AdminFlags): AdminAddress | null {
  return parseAdminAddress(admin.replace(/^http:\/\//, '').replace(/\/$/, ''));
}
