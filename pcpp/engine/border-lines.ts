/** One patch's lines to and from all the others, for an image whose plan may change from step to step. */

import { type PlanPeriods, periodAt } from '../partition/border-rules.js';
import { patchCount } from '../partition/plan.js';
import { BorderReceiver, BorderSender } from './border-wire.js';

interface Line {
  /** The first step that reads what it carries. */
  readonly from: number;
  readonly senders: readonly BorderSender[];
  readonly receivers: readonly BorderReceiver[];
}

export class BorderLines {
  readonly #age: number;
  readonly #lines: readonly Line[];

  /** @param periods Of displaced steps; messages of the step before the first one, and of earlier ones, are not sent. */
  constructor(periods: PlanPeriods, patch: number) {
    const { plan } = periods[0];
    this.#age = plan.age;
    const others = [...Array(patchCount(plan)).keys()];
    this.#lines = periods.map(({ from, plan }, period) => ({
      from,
      senders: others.map((to) => new BorderSender(plan, patch, to)),
      receivers: others.map(
        (other) => new BorderReceiver(plan, other, patch, period === 0 ? from : from - plan.age),
      ),
    }));
  }

  /** @param version The step that the message comes out of. */
  encode(to: number, payload: Float32Array, version: number): Uint8Array {
    return this.#line(version).senders[to]!.encode(payload, version);
  }

  decode(from: number, message: Uint8Array, version: number): Float32Array {
    return this.#line(version).receivers[from]!.decode(message, version);
  }

  /** Versions that were lost before this one and have to be asked for. */
  missing(from: number, version: number): readonly number[] {
    const line = this.#line(version);
    const before = this.#lines.slice(0, this.#lines.indexOf(line));
    // Whoever sends by the next plan has sent everything by those before.
    const lost = before.flatMap(({ receivers }, index) =>
      receivers[from]!.missing(this.#lines[index + 1]!.from - this.#age),
    );
    return [...lost, ...line.receivers[from]!.missing(version)];
  }

  repair(to: number, version: number): Uint8Array | undefined {
    return this.#line(version).senders[to]?.repair(version);
  }

  #line(version: number): Line {
    return periodAt(this.#lines, version + this.#age);
  }
}
