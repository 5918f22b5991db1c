import type { Config } from './config.ts';
import type { Path } from './document.ts';
import { describe, type ConfigObject } from './validate.ts';

/** One field that an object sets. */
export interface Setting {
  readonly value: unknown;
  readonly object: ConfigObject;
  readonly path: Path;
}

/** What one object sets for one scope. */
export interface Layer {
  readonly settings: ReadonlyMap<string, Setting>;
  /** Fields that inner scopes must not change; a prefix stands for all below it. */
  readonly enforced: readonly string[];
}

/** The leaves of a mapping by their dotted path; lists are leaves. */
export function flatten(object: ConfigObject, path: Path, value: unknown): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  const visit = (prefix: string, at: Path, current: unknown): void => {
    if (current === undefined) return;
    if (typeof current !== 'object' || current === null || Array.isArray(current)) {
      settings.set(prefix, { value: current, object, path: at });
      return;
    }
    for (const [key, child] of Object.entries(current)) {
      visit(prefix === '' ? key : `${prefix}.${key}`, [...at, key], child);
    }
  };
  visit('', path, value);
  return settings;
}

/**
 * Merges the policies of all scopes of a request, outermost first: field by field, the inner
 * scope wins (merge rule 2). Reports WEIR2003 where two layers of one scope differ in a field, and
 * WEIR2004 where an inner scope changes a field that an outer one enforces.
 *
 * @param what names the scope in messages, such as `Gateway shop/edge`
 */
export function mergeScopes(
  config: Config,
  scopes: readonly { readonly what: string; readonly layers: readonly Layer[] }[],
): Map<string, Setting> {
  const merged = new Map<string, Setting>();
  const enforced: { readonly field: string; readonly by: ConfigObject }[] = [];
  for (const { what, layers } of scopes) {
    const here = new Map<string, Setting>();
    for (const { settings } of layers) {
      for (const [field, setting] of settings) {
        const other = here.get(field);
        if (other === undefined) here.set(field, setting);
        else if (!sameValue(other.value, setting.value)) reportConflict(config, what, field, other, setting);
      }
    }
    for (const [field, setting] of here) {
      const outer = merged.get(field);
      const rule = enforced.find((entry) => covers(entry.field, field));
      if (rule !== undefined && !sameValue(outer?.value, setting.value)) {
        reportEnforced(config, field, outer, setting, rule.by);
        continue;
      }
      merged.set(field, setting);
    }
    for (const layer of layers) {
      const by = [...layer.settings.values()][0]?.object;
      if (by !== undefined) enforced.push(...layer.enforced.map((field) => ({ field, by })));
    }
  }
  return merged;
}

function covers(enforced: string, field: string): boolean {
  return field === enforced || field.startsWith(`${enforced}.`);
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function reportConflict(config: Config, what: string, field: string, first: Setting, second: Setting): void {
  const values = `${written(first)}, ${written(second)}`;
  config.report(second.object, 'WEIR2003', second.path, `both set ${field} on ${what} (${values})`, {
    notes: [
      'merge rule 3: same target, same field, different value. Keep one, or move one to an inner scope.',
    ],
    related: [first.object.document.place(first.path)],
  });
}

function reportEnforced(
  config: Config,
  field: string,
  outer: Setting | undefined,
  inner: Setting,
  by: ConfigObject,
): void {
  const value = outer === undefined ? 'its default' : written(outer);
  const message = `${field} is enforced by ${by.kind} ${by.namespace}/${by.name} (${value}) and cannot be changed to ${written(inner)}`;
  config.report(inner.object, 'WEIR2004', inner.path, message, {
    related: [
      outer === undefined ? by.document.place(['spec', 'enforced']) : outer.object.document.place(outer.path),
    ],
  });
}

/** The value as its author wrote it, not as it was read: `3s`, not 3000. */
function written(setting: Setting): string {
  let current: unknown = setting.object.document.value;
  for (const part of setting.path) {
    current = (current as Record<string | number, unknown> | null | undefined)?.[part];
  }
  return Array.isArray(current)
    ? JSON.stringify(current)
    : describe(current ?? setting.value).replaceAll('"', '');
}
