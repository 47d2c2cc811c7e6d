/** How often functions ran and failed. Few names are told apart: who calls a task chooses its name. */

import type { TaskCount } from './reports.js';

const maxNames = 200;
const otherName = '(others)';

export class TaskCounts {
  readonly #counts = new Map<string, { finished: number; failed: number }>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add({ name, finished, failed }: TaskCount): void {
    const known = this.#counts.get(name);
    if (!known && this.#counts.size >= maxNames && name !== otherName) {
      this.add({ name: otherName, finished, failed });
      return;
    }
    this.#counts.set(name, {
      finished: (known?.finished ?? 0) + finished,
      failed: (known?.failed ?? 0) + failed,
    });
  }

  list(): readonly TaskCount[] {
    return [...this.#counts].map(([name, counts]) => ({ name, ...counts }));
  }

  clear(): void {
    this.#counts.clear();
  }
}

/** Of all nodes together, by name. */
export function sumOfCounts(counts: readonly TaskCount[]): readonly TaskCount[] {
  const sums = new Map<string, TaskCount>();
  for (const { name, finished, failed } of counts) {
    const known = sums.get(name) ?? { finished: 0, failed: 0 };
    const next = { finished: known.finished + finished, failed: known.failed + failed };
    sums.set(name, { name, ...next });
  }
  return [...sums.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
