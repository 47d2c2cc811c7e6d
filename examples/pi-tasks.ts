/** Darts thrown at a square, as tasks: a share of them falls into the quarter circle. */

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many of `points` darts hit. */
export function hits(seed: number, points: number): number {
  const random = randomFrom(seed);
  let inside = 0;
  for (let point = 0; point < points; point++) {
    if (random() ** 2 + random() ** 2 < 1) inside++;
  }
  return inside;
}
