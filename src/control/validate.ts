import type * as z from 'zod';
import { isErrorCode, type ErrorCode } from '../errors.ts';
import type { Diagnostic } from './diagnostic.ts';
import { ConfigDocument, formatPath, type Path } from './document.ts';
import { listNames, nearest, suggest } from './nearest.ts';
import { KINDS, PLANNED_KINDS, versionsOf, type KindName, type ValueOf } from './schema/kind.ts';
import { scalarNames } from './schema/scalar.ts';
import { fieldsOf, isCredential, schemaAt, typeName, unwrap } from './schema/walk.ts';
import { withoutUserInfo } from './secret-text.ts';

/** An object of a known kind. */
export interface ConfigObject<K extends KindName = KindName> {
  readonly kind: K;
  readonly namespace: string;
  readonly name: string;
  readonly document: ConfigDocument;
  /** Validated, with defaults; null where the object is too broken to say anything about it. */
  readonly value: ValueOf<K> | null;
  /** Whether it has no faults of its own: nothing was left out of its value. */
  readonly isWhole: boolean;
}

export interface Validated {
  /** null where not even kind and name are known. */
  readonly object: ConfigObject | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** How many faults of one object are cut out to look at the rest of it. */
const MAX_REPAIRS = 8;

/**
 * Checks one document against the schema of its kind. Pure; never throws.
 *
 * The object is returned even where fields of it are at fault, without these fields, so that the
 * references in it, and to it, are checked in the same run.
 */
export function validateDocument(document: ConfigDocument): Validated {
  const envelope = checkEnvelope(document);
  if (!('kind' in envelope)) return { object: null, diagnostics: envelope.diagnostics };
  const { kind } = envelope;
  const diagnostics: Diagnostic[] = [];
  const cut = new Set<string>();
  const reported = new Set<string>();
  let input = document.value;
  let value: ValueOf<KindName> | null = null;
  for (let repairs = 0; repairs <= MAX_REPAIRS; repairs++) {
    const result = KINDS[kind].safeParse(input, { reportInput: true });
    if (result.success) {
      value = result.data;
      break;
    }
    // What was cut out is missing now, and has been reported before.
    const issues = result.error.issues.filter((issue) => !isCut(issue.path as Path, cut));
    for (const issue of issues) {
      // What could not be cut out comes again.
      const key = `${formatPath(issue.path as Path)} ${issue.message}`;
      if (!reported.has(key) && !concernsCut(issue, cut))
        diagnostics.push(...explainIssue(document, KINDS[kind], issue));
      reported.add(key);
    }
    const repaired = cutOut(input, issues, cut);
    if (repaired === null) break;
    input = repaired;
  }
  const { name, namespace } = nameOf(document.value);
  if (name === null) return { object: null, diagnostics };
  const isWhole = diagnostics.length === 0;
  return { object: { kind, namespace, name, document, value, isWhole }, diagnostics };
}

function nameOf(value: unknown): { name: string | null; namespace: string } {
  const metadata = (value as { metadata?: { name?: unknown; namespace?: unknown } | null }).metadata;
  const name = metadata?.name;
  const namespace = metadata?.namespace;
  return {
    name: typeof name === 'string' ? name : null,
    namespace: typeof namespace === 'string' ? namespace : 'default',
  };
}

type Envelope = { readonly kind: KindName } | { readonly diagnostics: readonly Diagnostic[] };

function checkEnvelope(document: ConfigDocument): Envelope {
  const { value } = document;
  const fault = (code: ErrorCode, path: Path, message: string, hint?: string, notes: string[] = []) => ({
    diagnostics: [document.fault(code, path, message, { hint, notes })],
  });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fault(
      'WEIR1011',
      [],
      `a document must be a mapping with apiVersion, kind and metadata, got ${describe(value)}`,
    );
  }
  const { apiVersion, kind } = value as { apiVersion?: unknown; kind?: unknown };
  if (typeof kind !== 'string')
    return fault('WEIR1011', kind === undefined ? [] : ['kind'], 'the document has no kind');
  if (Object.hasOwn(PLANNED_KINDS, kind) && plain(apiVersion).startsWith(`${PLANNED_KINDS[kind]}/`)) {
    return fault('WEIR1012', ['kind'], `kind ${kind} is not supported yet`);
  }
  if (!Object.hasOwn(KINDS, kind)) {
    const kinds = Object.keys(KINDS);
    return fault('WEIR1010', ['kind'], `unknown kind "${kind}"`, suggest(kind, kinds), [
      `known kinds: ${kinds.join(', ')}`,
    ]);
  }
  const versions = versionsOf(kind as KindName);
  if (apiVersion === undefined) {
    return fault('WEIR1011', ['kind'], `${kind} has no apiVersion`, `write "apiVersion: ${versions[0]}"`);
  }
  if (!versions.includes(plain(apiVersion))) {
    const hint = `did you mean "${nearest(plain(apiVersion), versions) ?? versions[0]}"?`;
    return fault('WEIR1010', ['apiVersion'], `kind ${kind} has no apiVersion ${describe(apiVersion)}`, hint);
  }
  return { kind: kind as KindName };
}

type Issue = z.core.$ZodIssue;

/** A field that names a Secret. */
const SECRET_REFERENCE = /^(secret|password)Ref$/;

function* explainIssue(document: ConfigDocument, schema: z.ZodType, issue: Issue): Generator<Diagnostic> {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  // Values of Secrets and credentials are never printed, not even wrong ones, nor one in the place of its reference.
  const secret =
    (document.value as { kind?: unknown }).kind === 'Secret' ||
    isCredential(schemaAt(schema, path)) ||
    SECRET_REFERENCE.test(formatPath(path.slice(-1)));
  const show = (value: unknown) => (secret ? 'something else' : describe(value));
  const where = describePath(document.value, path);
  const field = formatPath(path.slice(-1)) || 'the document';
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = fieldsOf(schemaAt(schema, path));
      for (const key of issue.keys) {
        const hint = suggest(key, known);
        const notes = known.length > 0 && hint === undefined ? [`known fields: ${listNames(known, 12)}`] : [];
        yield document.fault('WEIR1042', [...path, key], `unknown field "${key}"${inside(where)}`, {
          key: true,
          hint,
          notes,
        });
      }
      return;
    }
    case 'invalid_type':
    case 'invalid_union': {
      const expected = typeName(schemaAt(schema, path));
      if (valueAt(document.value, path) === undefined) {
        const outer = describePath(document.value, path.slice(0, -1));
        yield document.fault('WEIR1041', path.slice(0, -1), `missing field "${field}"${inside(outer)}`);
        return;
      }
      const value = valueAt(document.value, path);
      const known = fieldsOf(schemaAt(schema, path));
      yield document.fault('WEIR1040', path, `${label(path)} must be ${expected}, got ${show(value)}`, {
        hint: expected === 'a list' && isMapping(value) ? 'put "- " before it' : undefined,
        notes: known.length > 0 ? [`known fields: ${listNames(known, 12)}`] : [],
      });
      return;
    }
    case 'invalid_value': {
      const got = valueAt(document.value, path);
      const values = issue.values.map(String);
      if (got === undefined) {
        const outer = describePath(document.value, path.slice(0, -1));
        yield document.fault('WEIR1041', path.slice(0, -1), `missing field "${field}"${inside(outer)}`, {
          notes: [`one of ${listNames(values)}`],
        });
        return;
      }
      const message = `${label(path)} must be one of ${listNames(values, 12)}, got ${show(got)}`;
      yield document.fault('WEIR1043', path, message, { hint: suggest(plain(got), values) });
      return;
    }
    case 'custom': {
      const code = (issue.params as { code?: string } | undefined)?.code;
      const known = code !== undefined && isErrorCode(code) ? code : 'WEIR1044';
      const missing = valueAt(document.value, path) === undefined;
      // Where the message is about a field that stands there, the field comes first.
      const message =
        /^(must|is not supported)/.test(issue.message) && !missing
          ? `${label(path)} ${issue.message}`
          : issue.message;
      yield document.fault(known, path, message, {
        key: known === 'WEIR1045' && typeof valueAt(document.value, path) === 'object',
      });
      return;
    }
    case 'too_small':
    case 'too_big':
      yield document.fault('WEIR1044', path, `${label(path)} ${rangeText(issue, schemaAt(schema, path))}`);
      return;
    default: {
      const got = valueAt(document.value, path);
      const printable = !secret && (typeof got === 'string' || typeof got === 'number');
      const suffix = printable ? `, got ${describe(got)}` : '';
      yield document.fault('WEIR1044', path, `${label(path)} ${issue.message}${suffix}`);
    }
  }
}

function rangeText(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  schema: z.ZodType | null,
): string {
  if (!/^Too (small|big)/.test(issue.message)) return issue.message;
  const name = schema === null ? undefined : scalarNames.get(unwrap(schema))?.name;
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  const unit = issue.origin === 'array' ? ' items' : issue.origin === 'string' ? ' characters' : '';
  const got = typeof issue.input === 'number' ? `, got ${issue.input}` : '';
  if (name !== undefined && issue.origin === 'number') {
    const article = /^[aeiou]/.test(name) ? 'an' : 'a';
    return `must be ${article} ${name === 'port number' ? 'port number 1..65535' : name}${got}`;
  }
  if (issue.origin === 'array' && issue.code === 'too_small' && issue.minimum === 1)
    return 'must not be empty';
  if (issue.origin === 'string' && issue.code === 'too_small' && issue.minimum === 1)
    return 'must not be empty';
  return `must have ${bound}${unit}${got}`;
}

/** The path in a message, without the leading `spec`. */
function label(path: Path): string {
  return formatPath(path[0] === 'spec' && path.length > 1 ? path.slice(1) : path) || 'the document';
}

function inside(where: string): string {
  return where === '' ? '' : ` in ${where}`;
}

/** The nearest thing with a name around a path: `filter "rps"`, `rules[1]`, `Gateway edge`. */
export function describePath(value: unknown, path: Path): string {
  for (let length = path.length; length > 0; length--) {
    const part = path[length - 1]!;
    const list = path[length - 2];
    if (typeof part !== 'number' || typeof list !== 'string') continue;
    const name = (valueAt(value, path.slice(0, length)) as { name?: unknown } | null | undefined)?.name;
    const rest = path.slice(length);
    const tail = rest.length > 0 ? `${formatPath(rest)} of ` : '';
    const item =
      typeof name === 'string' ? `${singular(list)} "${name}"` : formatPath(path.slice(length - 2, length));
    return `${tail}${item}`;
  }
  return formatPath(path);
}

function singular(noun: string): string {
  return noun.endsWith('Refs') || !noun.endsWith('ies') ? noun.replace(/s$/, '') : noun.replace(/ies$/, 'y');
}

export function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text for comparisons. `String` would call what the value has under `toString`. */
export function plain(value: unknown): string {
  return typeof value === 'string' ? value : describe(value);
}

/** A value in a message: short, and of a kind that can be told from others. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(withoutUserInfo(value)) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function isCut(path: Path, cut: ReadonlySet<string>): boolean {
  return path.some((_, i) => cut.has(formatPath(path.slice(0, i + 1))));
}

/** Whether a rule over several fields speaks of a part that something was cut out of: the fault of that comes first. */
function concernsCut(issue: Issue, cut: ReadonlySet<string>): boolean {
  const path = formatPath(issue.path as Path);
  if (issue.code !== 'custom' || path === '') return false;
  return [...cut].some((part) => part.startsWith(`${path}.`) || part.startsWith(`${path}[`));
}

/** The value without the parts that were at fault; null where nothing can be cut out. */
function cutOut(value: unknown, issues: readonly Issue[], cut: Set<string>): unknown {
  const copy: unknown = structuredClone(value);
  let changed = false;
  for (const issue of issues) {
    const paths =
      issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    for (const path of paths as Path[]) {
      if (!remove(copy, path)) continue;
      cut.add(formatPath(path));
      changed = true;
    }
  }
  return changed ? copy : null;
}

function remove(value: unknown, path: Path): boolean {
  const last = path.at(-1);
  const parent = valueAt(value, path.slice(0, -1));
  if (last === undefined || typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, last))
    return false;
  // Without an item the ones after it would change their places.
  if (Array.isArray(parent)) return false;
  return delete (parent as Record<string, unknown>)[last];
}
