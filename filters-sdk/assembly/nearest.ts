// For messages about a configuration: what somebody may have meant.

/**
 * The end of a message about a word that is none of those that are known: `, did you mean "x"?`, or nothing where none of
 * them is near. Distances are those of Levenshtein, at most a third of the word.
 */
export function didYouMean(word: string, known: string[]): string {
  let best = '';
  let least = word.length / 3 + 1;
  for (let i = 0; i < known.length; i++) {
    const distance = distanceOf(word, known[i]);
    if (distance >= least) continue;
    least = distance;
    best = known[i];
  }
  return best.length == 0 ? '' : ', did you mean "' + best + '"?';
}

function distanceOf(a: string, b: string): i32 {
  const row = new StaticArray<i32>(b.length + 1);
  for (let j = 0; j <= b.length; j++) row[j] = j;
  for (let i = 0; i < a.length; i++) {
    let diagonal = row[0];
    row[0] = i + 1;
    for (let j = 0; j < b.length; j++) {
      const replaced = diagonal + (a.charCodeAt(i) == b.charCodeAt(j) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = min(replaced, min(diagonal, row[j]) + 1);
    }
  }
  return row[b.length];
}
