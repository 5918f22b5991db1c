import { relative } from 'node:path';

/** A place `file:line:column` by the way from here, where that is shorter. */
export function nearPlace(place: string): string {
  const near = relative(process.cwd(), place);
  return near.length < place.length ? near : place;
}
