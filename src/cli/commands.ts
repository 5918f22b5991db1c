import type { Command } from 'commander';

export type Register = (parent: Command, args: readonly string[]) => void | Promise<void>;
/** By the name of a command; loading one loads all that it needs, which takes longer than most commands do. */
export type Loaders = Readonly<Record<string, () => Promise<Register>>>;

/** Adds the command that the arguments begin with, or, for help and mistakes, all of them. */
export async function registerNamed(
  parent: Command,
  loaders: Loaders,
  [name = '', ...rest]: readonly string[],
): Promise<void> {
  const wanted = Object.hasOwn(loaders, name) ? [loaders[name]!] : Object.values(loaders);
  for (const load of wanted) {
    const register = await load();
    await register(parent, rest);
  }
}
