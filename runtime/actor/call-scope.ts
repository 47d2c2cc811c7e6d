/** One running call. Most calls never look at their signal, and an AbortSignal costs more than a call: it is made when asked for. */

export class CallScope {
  readonly stream: boolean;
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor(stream: boolean) {
    this.stream = stream;
  }

  get isAborted(): boolean {
    return this.#isAborted;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}
