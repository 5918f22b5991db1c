import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A file of a new project. */
export interface ProjectFile {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
}

export interface Template {
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
}

/** What templates call the filter; the author's name takes its place everywhere, `_` for `-` in names of metrics. */
const PLACEHOLDER = 'my-filter';
/** What all templates have. */
const COMMON = 'common';
/** Each template's part of the README; its first paragraph says what the template is. */
const ABOUT = 'about.md';

/** @param folder with a folder for each template */
export function listTemplates(folder: string): Template[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, ABOUT)))
    .map((name) => ({ name, summary: summaryOf(readFileSync(join(folder, name, ABOUT), 'utf8')) }));
}

/**
 * The files of a new project.
 *
 * @param folder with a folder for each template
 * @param versions of packages that the project depends on, in place of those that the template names
 */
export function projectFiles(
  folder: string,
  template: string,
  name: string,
  versions: Readonly<Record<string, string>>,
): ProjectFile[] {
  const texts = new Map<string, string>();
  for (const part of [COMMON, template]) {
    for (const path of filesIn(join(folder, part)))
      texts.set(path, readFileSync(join(folder, part, path), 'utf8'));
  }
  texts.set('README.md', `# ${PLACEHOLDER}\n\n${texts.get(ABOUT)}\n${texts.get('README.md')}`);
  texts.delete(ABOUT);
  // npm leaves files of that name out of a package.
  texts.set('.gitignore', texts.get('gitignore')!);
  texts.delete('gitignore');
  const manifest = JSON.parse(texts.get('package.json')!) as { devDependencies: Record<string, string> };
  for (const [key, version] of Object.entries(versions)) manifest.devDependencies[key] = version;
  texts.set('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
  return [...texts].map(([path, text]) => ({ path, text: named(text, name) }));
}

function named(text: string, name: string): string {
  return text
    .replaceAll(PLACEHOLDER, name)
    .replaceAll(PLACEHOLDER.replace('-', '_'), name.replaceAll('-', '_'));
}

function filesIn(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below)).flatMap((entry) => {
    const path = below === '' ? entry : `${below}/${entry}`;
    return statSync(join(folder, path)).isDirectory() ? filesIn(folder, path) : [path];
  });
}

function summaryOf(about: string): string {
  return about.split('\n\n')[0]!.replaceAll('\n', ' ').trim();
}
