/** Ray in a Python process, which does what it is told by lines of JSON. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, cpuSince, processesOf, type Window } from './ray-microbenchmark-measure.js';

const script = fileURLToPath(new URL('../../../test/bench/ray-comparison.py', import.meta.url));
const mark = 'ray-comparison ';

interface Answer {
  readonly version?: string;
  readonly upSeconds?: number;
  readonly operations?: number;
  readonly seconds?: number;
}

export class Ray implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #ready: Answer = {};

  private constructor(python: string, cpus: number) {
    this.#child = spawn(python, [script, String(cpus)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(python: string, cpus: number): Promise<Ray> {
    const ray = new Ray(python, cpus);
    ray.#ready = await ray.#answer();
    return ray;
  }

  get version(): string {
    return this.#ready.version ?? '?';
  }

  /** Of `ray.init`, imports not counted. */
  get upMs(): number {
    return 1000 * (this.#ready.upSeconds ?? Number.NaN);
  }

  /** The driver's. */
  get pid(): number {
    return this.#child.pid!;
  }

  async open(name: string): Promise<void> {
    await this.#ask({ do: 'open', name });
  }

  async window(seconds: number): Promise<Window> {
    await this.#ask({ do: 'wake' });
    const before = cpuSeconds(processesOf(this.pid));
    const answer = await this.#ask({ do: 'window', seconds });
    return {
      operations: answer.operations!,
      seconds: answer.seconds!,
      cpuSeconds: cpuSince(before, processesOf(this.pid)),
    };
  }

  async closeItem(): Promise<void> {
    await this.#ask({ do: 'close' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin!.end();
    await ended;
  }

  #ask(order: Readonly<Record<string, unknown>>): Promise<Answer> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return this.#answer();
  }

  async #answer(): Promise<Answer> {
    while (true) {
      const { done, value } = await this.#answers.next();
      if (done) throw new Error('Ray has ended; its last words are above');
      if (value.startsWith(mark)) return JSON.parse(value.slice(mark.length)) as Answer;
    }
  }
}
