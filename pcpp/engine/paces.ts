/** How fast the devices of a pipeline have computed their rows, to share the next image out by. */

export class Paces {
  /** By device, latent rows in a millisecond of computing. */
  readonly #rates = new Map<number, number>();

  /** @param rows Of each step. @param computeMs Of the steps that computed just these; none says nothing. */
  note(device: number, rows: number, computeMs: readonly number[]): void {
    const median = computeMs.toSorted((a, b) => a - b)[computeMs.length >> 1];
    if (median !== undefined && median > 0) this.#rates.set(device, rows / median);
  }

  /**
   * Weights of patches. What a step takes beside its rows is not known, so several images may pass until all are done at
   * the same time.
   *
   * @param owners Devices of each patch: the slowest counts.
   * @returns undefined as long as one of them has not been seen at work.
   */
  sharesOf(owners: readonly (readonly number[])[]): readonly number[] | undefined {
    const shares: number[] = [];
    for (const devices of owners) {
      const rates = devices.flatMap((device) => this.#rates.get(device) ?? []);
      if (rates.length < devices.length) return undefined;
      shares.push(Math.min(...rates));
    }
    return shares;
  }
}
