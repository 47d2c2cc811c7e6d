/** An actor for the tests of pools. */

export class Worker {
  #calls = 0;

  square(x: number): number {
    this.#calls++;
    return x * x;
  }

  /** Ends its process at some values. */
  squareOrDie(x: number, deadly: readonly number[]): number {
    if (deadly.includes(x)) process.exit(7);
    return this.square(x);
  }

  fail(x: number): never {
    throw new RangeError(`${x} is too much`);
  }

  calls(): number {
    return this.#calls;
  }

  pid(): number {
    return process.pid;
  }
}
