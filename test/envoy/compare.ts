import type { Fields } from '../support/message.ts';
import type { Seen, SeenRequest } from '../languages/subject.ts';

/** What was seen, as one line for each thing that can differ. */
type Aspects = ReadonlyMap<string, string>;

export interface Difference {
  /** Such as `answer.status`, `upstream.field.x-user`, `logs`. */
  readonly aspect: string;
  /** Undefined where the host has no such thing. */
  readonly weir: string | undefined;
  readonly envoy: string | undefined;
}

export function differencesOf(weir: Seen, envoy: Seen): Difference[] {
  const [ours, theirs] = [aspectsOf(weir), aspectsOf(envoy)];
  const names = new Set([...ours.keys(), ...theirs.keys()]);
  return [...names]
    .filter((aspect) => ours.get(aspect) !== theirs.get(aspect))
    .map((aspect) => ({ aspect, weir: ours.get(aspect), envoy: theirs.get(aspect) }));
}

function aspectsOf({ answer, upstream, authz, logs }: Seen): Aspects {
  const aspects = new Map<string, string>([
    ['answer.status', String(answer.status)],
    ['answer.body', answer.text],
    ['logs', JSON.stringify([...logs].sort())],
  ]);
  addFields(aspects, 'answer.field', answer.fields);
  addFields(aspects, 'answer.trailer', answer.trailers);
  addRequests(aspects, 'upstream', upstream);
  addRequests(aspects, 'callout', authz);
  return aspects;
}

function addRequests(aspects: Map<string, string>, where: string, requests: readonly SeenRequest[]): void {
  aspects.set(`${where}.count`, String(requests.length));
  // Requests that run at the same time come in any order.
  const ordered = [...requests].sort((a, b) => (a.target < b.target ? -1 : 1));
  for (const [i, { method, target, fields, body, trailers }] of ordered.entries()) {
    const one = requests.length > 1 ? `${where}.${i}` : where;
    aspects.set(`${one}.line`, `${method} ${target}`);
    aspects.set(`${one}.body`, body);
    addFields(aspects, `${one}.field`, fields);
    addFields(aspects, `${one}.trailer`, trailers);
  }
}

function addFields(aspects: Map<string, string>, where: string, fields: Fields): void {
  for (const [name, value] of fields) {
    const aspect = `${where}.${name.toLowerCase()}`;
    const before = aspects.get(aspect);
    aspects.set(aspect, before === undefined ? value : `${before} | ${value}`);
  }
}
