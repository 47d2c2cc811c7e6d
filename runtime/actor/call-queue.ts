/** Calls that wait their turn: first come, first served, at most so many at once. */

export class CallQueue<Call> {
  readonly #maxConcurrency: number;
  readonly #run: (call: Call) => Promise<void>;
  readonly #waiting: Call[] = [];
  #busy = 0;

  constructor(maxConcurrency: number, run: (call: Call) => Promise<void>) {
    this.#maxConcurrency = maxConcurrency;
    this.#run = run;
  }

  /** Calls that wait because as many run as may. */
  get pending(): number {
    return this.#busy < this.#maxConcurrency ? 0 : this.#waiting.length;
  }

  get isBusy(): boolean {
    return this.#busy >= this.#maxConcurrency;
  }

  push(call: Call): void {
    this.#waiting.push(call);
    this.#next();
  }

  /** Forget what waits. */
  clear(): void {
    this.#waiting.length = 0;
  }

  #next(): void {
    while (!this.isBusy) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#busy++;
      void this.#run(call).then(() => {
        this.#busy--;
        this.#next();
      });
    }
  }
}
