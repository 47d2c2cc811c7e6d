/** The last lines of every actor, also of some that are dead: bounded in lines, in characters and in actors. */

import type { LogBatch, LogSource, OutputLine } from './reports.js';

export interface LogBookLimits {
  /** Kept of one actor. @default 1_000 */
  readonly lines: number;
  /** Kept of one actor. @default 256 Ki */
  readonly characters: number;
  /** Dead actors whose lines are kept. @default 200 */
  readonly dead: number;
}

export const logBookLimits: LogBookLimits = { lines: 1_000, characters: 256 * 1024, dead: 200 };
/** Nobody reads along while most jobs run. */
export const jobBookLimits: LogBookLimits = { lines: 10_000, characters: 512 * 1024, dead: 200 };

interface Page {
  readonly lines: OutputLine[];
  characters: number;
}

export class LogBook {
  readonly #limits: LogBookLimits;
  /** Those that wrote last come last. */
  readonly #pages = new Map<LogSource, Page>();

  constructor(limits: Partial<LogBookLimits> = {}) {
    this.#limits = { ...logBookLimits, ...limits };
  }

  has(actor: LogSource): boolean {
    return this.#pages.has(actor);
  }

  add({ actor, lines }: Pick<LogBatch, 'actor' | 'lines'>): void {
    const page = this.#pages.get(actor) ?? { lines: [], characters: 0 };
    this.#pages.delete(actor);
    this.#pages.set(actor, page);
    for (const line of lines) page.characters += line.text.length;
    page.lines.push(...lines);
    let surplus = Math.max(0, page.lines.length - this.#limits.lines);
    for (let index = 0; index < page.lines.length; index++) {
      if (index >= surplus && page.characters <= this.#limits.characters) break;
      page.characters -= page.lines[index]!.text.length;
      surplus = Math.max(surplus, index + 1);
    }
    page.lines.splice(0, surplus);
  }

  tail(actor: LogSource, lines: number): readonly OutputLine[] {
    const page = this.#pages.get(actor);
    return page && lines > 0 ? page.lines.slice(-lines) : [];
  }

  /** Forget those that nobody may read any more. */
  forget(isForgotten: (actor: LogSource) => boolean): void {
    for (const actor of this.#pages.keys()) if (isForgotten(actor)) this.#pages.delete(actor);
  }

  /** Forget the dead that have been silent for longest, if there are too many. */
  tidy(isDead: (actor: LogSource) => boolean): void {
    const dead = [...this.#pages.keys()].filter(isDead);
    for (const actor of dead.slice(0, Math.max(0, dead.length - this.#limits.dead))) {
      this.#pages.delete(actor);
    }
  }
}
