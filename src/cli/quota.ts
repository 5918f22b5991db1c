import { Option, type Command } from 'commander';
import { listNames } from '../control/nearest.ts';
import type { QuotaAdjustment, QuotaUsage } from '../control/quota-request.ts';
import {
  adminOption,
  adminTokenOption,
  askAdmin,
  checkAdmin,
  textOf,
  type AdminFlags,
} from './admin-client.ts';
import { ExitCode } from './exit-codes.ts';
import { colorsFor, type Colors } from './output.ts';

interface QuotaFlags extends AdminFlags {
  readonly window?: string;
  readonly timezone?: string;
  readonly scope?: string;
  readonly reason?: string;
  readonly json: boolean;
}

const HELP = `
A quota is named NAMESPACE/NAME, or NAME where one namespace alone has it. A key has a word for each attribute.

Examples:
  weir quota list                                        all accounts, those that have used most first
  weir quota list shop/calls                             of one quota
  weir quota show shop/calls acme                        with its top-ups and resets
  weir quota top-up shop/calls acme --amount 5000 --reason "ticket 81"
  weir quota reset shop/calls acme`;

/** `weir quota`: what was used, and changes of it in the middle of a window. */
export function registerQuota(program: Command): void {
  const quota = program
    .command('quota')
    .description('show and change what was used of the quotas of a running weir')
    .addHelpText('after', HELP);
  verb(quota, 'list [quota]', 'list what keys have used', async (flags, [name]) => {
    const accounts = (await ask(flags, 'GET', '/quota', parametersOf(flags, name))) as QuotaUsage[];
    const share = ({ used, limit }: QuotaUsage): number => used / Math.max(1, limit);
    const hint = accounts.length === 0 ? await nothingCharged(flags, name) : '';
    print(flags, accounts, (colors) =>
      hint === ''
        ? table(
            [...accounts].sort((a, b) => share(b) - share(a)),
            colors,
          )
        : hint,
    );
  });
  verb(quota, 'show <quota> <key...>', 'show what one key has used', async (flags, [name, ...key]) => {
    const query = parametersOf(flags, name, key);
    const accounts = (await ask(flags, 'GET', '/quota', query)) as QuotaUsage[];
    const adjustments = (await ask(flags, 'GET', '/quota/adjustments', query)) as QuotaAdjustment[];
    const hint = accounts.length === 0 ? await nothingCharged(flags, name) : '';
    print(flags, { accounts, adjustments }, (colors) =>
      hint === '' ? details(accounts, adjustments, colors) : hint,
    );
  });
  verb(quota, 'top-up <quota> <key...>', 'add to the limit of the running window', (flags, [name, ...key]) =>
    change(flags, '/quota/top-up', parametersOf(flags, name, key)),
  )
    .requiredOption('--amount <n>', 'what is added; negative to take away')
    .option('--reason <text>', 'kept with it');
  verb(
    quota,
    'reset <quota> <key...>',
    'set what was used in the running window to 0',
    (flags, [name, ...key]) => change(flags, '/quota/reset', parametersOf(flags, name, key)),
  ).option('--reason <text>', 'kept with it');
}

function verb(
  parent: Command,
  name: string,
  description: string,
  run: (flags: QuotaFlags & { amount?: string }, names: string[]) => Promise<void>,
): Command {
  return parent
    .command(name)
    .description(description)
    .option('--window <window>', 'hour, day, week, month or year, where a quota has more than one')
    .option('--timezone <zone>', 'the same for time zones')
    .addOption(
      new Option('--scope <scope>', 'what one machine counts, or what all count in a Store').choices([
        'node',
        'cluster',
      ]),
    )
    .option('--json', 'print JSON', false)
    .addOption(adminOption())
    .addOption(adminTokenOption())
    .action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      const flags = command.opts<QuotaFlags & { amount?: string }>();
      checkAdmin(flags, command);
      await run(flags, command.args);
      process.exitCode = ExitCode.Ok;
    });
}

function parametersOf(
  flags: QuotaFlags & { amount?: string },
  quota: string | undefined,
  key: readonly string[] = [],
): URLSearchParams {
  const query = new URLSearchParams();
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) query.set(name, value);
  };
  set('quota', quota);
  for (const part of key) query.append('key', part);
  set('window', flags.window);
  set('timezone', flags.timezone);
  set('scope', flags.scope);
  set('amount', flags.amount);
  set('reason', flags.reason);
  return query;
}

/** What to look at where an account is not there: a quota of another name, or another key. */
async function nothingCharged(flags: QuotaFlags, quota: string | undefined): Promise<string> {
  if (quota === undefined) return 'nothing was charged yet\n';
  const all = (await ask(flags, 'GET', '/quota', new URLSearchParams())) as QuotaUsage[];
  const names = [...new Set(all.map((each) => each.quota))].sort();
  const isThere = names.some((each) => each === quota || each.endsWith(`/${quota}`));
  if (isThere)
    return `nothing was charged to that key; weir quota list ${quota} tells the keys that there are\n`;
  return `nothing was charged for a quota ${quota}; there are: ${listNames(names) || 'none'}\n`;
}

async function change(flags: QuotaFlags, path: string, query: URLSearchParams): Promise<void> {
  const account = (await ask(flags, 'POST', path, query)) as QuotaUsage;
  print(flags, account, (colors) => table([account], colors));
}

async function ask(
  flags: QuotaFlags,
  method: 'GET' | 'POST',
  path: string,
  query: URLSearchParams,
): Promise<unknown> {
  return JSON.parse(await textOf(await askAdmin(flags, method, `${path}?${query.toString()}`)));
}

function print(flags: QuotaFlags, value: unknown, text: (colors: Colors) => string): void {
  process.stdout.write(flags.json ? `${JSON.stringify(value, null, 2)}\n` : text(colorsFor(process.stdout)));
}

function table(accounts: readonly QuotaUsage[], colors: Colors): string {
  const rows = accounts.map((each) => [
    each.quota,
    each.key.join(' '),
    `${each.window} ${each.timezone}`,
    each.plan ?? '-',
    each.store === null ? each.scope : `${each.scope} ${each.store}`,
    String(each.used),
    String(each.limit),
    String(each.remaining),
    each.until,
  ]);
  const heads = ['QUOTA', 'KEY', 'WINDOW', 'PLAN', 'SCOPE', 'USED', 'LIMIT', 'LEFT', 'UNTIL'];
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i > 4 && i < 8 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return `${[colors.dim(line(heads)), ...rows.map(line)].join('\n')}\n`;
}

function details(
  accounts: readonly QuotaUsage[],
  adjustments: readonly QuotaAdjustment[],
  colors: Colors,
): string {
  const lines = accounts.flatMap(({ quota, window, reserved, added, before }) => [
    ...(reserved > 0 ? [`${quota} ${window}: ${reserved} kept back for requests under way`] : []),
    ...(added === 0 ? [] : [`${quota} ${window}: ${added} added to the limit of this window`]),
    ...(before === null ? [] : [`${quota} ${window}: ${before.used} used in the window from ${before.from}`]),
  ]);
  const changes = adjustments.map(
    ({ at, action, quota, window, amount, reason }) =>
      `${at}  ${action} ${quota} ${window}  ${action === 'reset' ? `${amount} were used` : amount}${reason === '' ? '' : `  ${reason}`}`,
  );
  return [table(accounts, colors), ...[...lines, ...changes].map((line) => `${line}\n`)].join('');
}
