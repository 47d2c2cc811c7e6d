/** What one actor prints, at a bounded rate: a token a line. What is dropped is counted, and told in a line of its own. */

import { LineCutter } from './line-cutter.js';
import type { Output, OutputLine } from './reports.js';

export interface LogLimits {
  /** Lines of one actor a second, in the long run. @default 1_000 */
  readonly linesPerSecond: number;
  /** Lines at once. @default 2_000 */
  readonly burstLines: number;
  /** Characters of a node that wait to be sent. @default 4 Mi */
  readonly maxWaiting: number;
}

export const logLimits: LogLimits = {
  linesPerSecond: 1_000,
  burstLines: 2_000,
  maxWaiting: 4 * 1024 * 1024,
};

/** Drops are told at most this often. */
const tellMs = 1_000;

export class ActorLog {
  readonly #limits: LogLimits;
  /** Milliseconds. */
  readonly #clock: () => number;
  readonly #cutters: Readonly<Record<Output, LineCutter>> = {
    stdout: new LineCutter(),
    stderr: new LineCutter(),
  };
  #waiting: OutputLine[] = [];
  #length = 0;
  #tokens: number;
  #filledAt: number;
  #dropped = 0;
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(limits: LogLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    this.#tokens = limits.burstLines;
    this.#filledAt = clock();
  }

  /** Characters that wait to be taken. */
  get length(): number {
    return this.#length;
  }

  /** Lines since the beginning. */
  get dropped(): number {
    return this.#dropped;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#untold === 0;
  }

  /** @param room Characters that may wait, over all actors. */
  push(stream: Output, text: string, room: number): void {
    for (const line of this.#cutters[stream].push(text)) this.#add(stream, line, room);
  }

  /** What waits, and how much was dropped if that is due. */
  take(): OutputLine[] {
    const lines = this.#waiting;
    const now = this.#clock();
    if (this.#untold > 0 && now - this.#toldAt >= tellMs) {
      lines.push({ stream: 'stderr', text: droppedText(this.#untold) });
      this.#untold = 0;
      this.#toldAt = now;
    }
    this.#waiting = [];
    this.#length = 0;
    return lines;
  }

  /** Everything: nothing comes after this. */
  end(): OutputLine[] {
    for (const stream of ['stdout', 'stderr'] as const) {
      for (const line of this.#cutters[stream].end()) {
        this.#add(stream, line, Number.POSITIVE_INFINITY);
      }
    }
    this.#toldAt = Number.NEGATIVE_INFINITY;
    return this.take();
  }

  #add(stream: Output, text: string, room: number): void {
    const now = this.#clock();
    const { linesPerSecond, burstLines } = this.#limits;
    const fresh = ((now - this.#filledAt) * linesPerSecond) / 1_000;
    this.#tokens = Math.min(burstLines, this.#tokens + fresh);
    this.#filledAt = now;
    if (this.#tokens < 1 || this.#length + text.length > room) {
      this.#dropped++;
      this.#untold++;
      return;
    }
    this.#tokens--;
    this.#waiting.push({ stream, text });
    this.#length += text.length + 1;
  }
}

export const droppedText = (lines: number): string =>
  `[${lines} ${lines === 1 ? 'line' : 'lines'} dropped: more than can be passed on]`;
