/** Calls that wait their turn: first come, first served, at most so many at once. */

import Queue from 'yocto-queue';

export class CallQueue<Call> {
  readonly #maxConcurrency: number;
  readonly #run: (call: Call) => Promise<void>;
  readonly #waiting = new Queue<Call>();
  #busy = 0;

  constructor(maxConcurrency: number, run: (call: Call) => Promise<void>) {
    this.#maxConcurrency = maxConcurrency;
    this.#run = run;
  }

  /** Calls that wait because as many run as may. */
  get pending(): number {
    return this.#busy < this.#maxConcurrency ? 0 : this.#waiting.size;
  }

  get isBusy(): boolean {
    return this.#busy >= this.#maxConcurrency;
  }

  push(call: Call): void {
    this.#waiting.enqueue(call);
    this.#next();
  }

  /** Forget what waits. */
  clear(): void {
    this.#waiting.clear();
  }

  #next(): void {
    while (!this.isBusy) {
      const call = this.#waiting.dequeue();
      if (call === undefined) return;
      this.#busy++;
      void this.#run(call).then(() => {
        this.#busy--;
        this.#next();
      });
    }
  }
}
