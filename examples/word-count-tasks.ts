/** Map and reduce: words of a text, and two counts made into one. */

export type Counts = ReadonlyMap<string, number>;

/** Words in lower case: letters, with apostrophes or hyphens between them. */
export function countWords(text: string): Counts {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(/\p{L}+(?:['’-]\p{L}+)*/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

export function merge(a: Counts, b: Counts): Counts {
  const sum = new Map(a);
  for (const [word, count] of b) sum.set(word, (sum.get(word) ?? 0) + count);
  return sum;
}
