/**
 * A pattern for any of some words, which are written with spaces between them. What they begin with in common stands there once: the
 * automaton has fewer places to be in at a time.
 */
export function oneOf(words: string): string {
  const list = words.split(' ').filter((word) => word.length > 0);
  list.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return branches(list, 0, list.length, 0);
}

/** @param at how many characters of `list[from..to]` are the same and written already */
function branches(list: string[], from: i32, to: i32, at: i32): string {
  let pattern = '';
  let count = 0;
  for (let i = from; i < to; count++) {
    if (count > 0) pattern += '|';
    if (list[i].length == at) {
      // The end of a word that others go on from.
      i++;
      while (i < to && list[i].length == at) i++;
      continue;
    }
    const letter = list[i].charCodeAt(at);
    let end = i + 1;
    while (end < to && list[end].length > at && list[end].charCodeAt(at) == letter) end++;
    let same = at + 1;
    if (end - i == 1) same = list[i].length;
    else while (same < list[i].length && list[i].charCodeAt(same) == list[end - 1].charCodeAt(same)) same++;
    pattern += escaped(list[i].substring(at, same));
    if (end - i > 1) pattern += branches(list, i, end, same);
    i = end;
  }
  return '(' + pattern + ')';
}

function escaped(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charAt(i);
    out += '.+*?()[]{}|^$\\'.includes(unit) ? '\\' + unit : unit;
  }
  return out;
}
