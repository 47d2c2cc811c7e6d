/** Whose turn it is: the highest priority first, and among equals whoever came first. One at a time. */

import { PcppError } from '../errors.js';

interface Waiting {
  readonly priority: number;
  readonly begin: () => void;
}

export class JobLine {
  readonly #waiting: Waiting[] = [];
  #isBusy = false;

  get waiting(): number {
    return this.#waiting.length;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Jobs that a new one of this priority would wait for. */
  ahead(priority: number): number {
    const before = this.#waiting.filter((other) => other.priority >= priority).length;
    return before + (this.#isBusy ? 1 : 0);
  }

  /**
   * Resolves when it is this job's turn.
   *
   * @returns Call it when the job is done, once.
   * @throws PcppError `E_ABORTED` if it was given up before.
   */
  async turn(priority: number, signal: AbortSignal): Promise<() => void> {
    if (this.#isBusy) await this.#wait(priority, signal);
    this.#isBusy = true;
    return () => {
      // The next one is busy at once: nobody comes between.
      const next = this.#waiting.shift();
      if (next) next.begin();
      else this.#isBusy = false;
    };
  }

  #wait(priority: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        const text = 'the job was aborted by its caller before its turn came';
        reject(new PcppError('E_ABORTED', text, { cause: signal.reason }));
      };
      const entry: Waiting = {
        priority,
        begin: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      const behind = this.#waiting.findIndex((other) => other.priority < priority);
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, entry);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }
}
