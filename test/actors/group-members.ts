/** Actors for the tests of groups. */

import { CollectiveActor, type GroupArray, type ReduceOp } from '../../actors/index.js';
import { type ActorHandle, context } from '../../runtime/index.js';

export class Plain {
  readonly #rank: number;

  constructor(rank: number) {
    if (rank < 0) throw new RangeError('no such rank');
    this.#rank = rank;
  }

  rankPlus(more: number): number {
    return this.#rank + more;
  }

  node(): string {
    return context().node.name;
  }
}

/** A bell that one actor waits for and another rings. */
export class Bell {
  static readonly actor = { maxConcurrency: 8 };
  readonly #notes: string[] = [];
  #rung: () => void = () => undefined;
  readonly #ringing = new Promise<void>((resolve) => {
    this.#rung = resolve;
  });

  ring(): void {
    this.#rung();
  }

  heard(): Promise<void> {
    return this.#ringing;
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  notes(): readonly string[] {
    return this.#notes;
  }
}

/** Values whose sum depends on the order of adding. */
export const valuesOf = (rank: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, n) =>
    Math.fround(Math.sin(n * 7.3 + rank * 1.7) * 10 ** (rank % 4)),
  );

export class Member extends CollectiveActor {
  whoAmI(): readonly number[] {
    return [this.rank, this.groupSize];
  }

  reduced(length: number, op: ReduceOp): Promise<Float32Array> {
    return this.allReduce(valuesOf(this.rank, length), op);
  }

  async ownArrayAfterwards(): Promise<Float32Array> {
    const values = valuesOf(this.rank, 9);
    await this.allReduce(values);
    return values;
  }

  /** Two at once. */
  async twice(length: number): Promise<readonly Float32Array[]> {
    const values = valuesOf(this.rank, length);
    return Promise.all([this.allReduce(values), this.allReduce(values, 'max')]);
  }

  gathered(bytes: boolean): Promise<readonly GroupArray[]> {
    return bytes
      ? this.allGather(new Uint8Array(this.rank).fill(this.rank))
      : this.allGather(BigInt64Array.of(BigInt(this.rank)));
  }

  mixed(): Promise<readonly GroupArray[]> {
    return this.allGather<GroupArray>(this.rank === 0 ? new Int8Array(1) : new Int16Array(1));
  }

  async manyBarriers(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.barrier();
  }

  /** Rank 0 comes late: until the bell has rung nobody may pass. */
  async meet(bell: ActorHandle<Bell>): Promise<void> {
    if (this.rank === 0) await bell.heard();
    await bell.note('before');
    await this.barrier();
    await bell.note('after');
  }

  /** Each hands its sum to the next; rank 0 begins. */
  async ring(rounds: number): Promise<number> {
    const next = (this.rank + 1) % this.groupSize;
    const before = (this.rank + this.groupSize - 1) % this.groupSize;
    let value = 0;
    for (let round = 0; round < rounds; round++) {
      if (this.rank > 0 || round > 0) value = Number((await this.receive(before))[0]);
      await this.send(next, Float64Array.of(value + this.rank));
    }
    return this.rank === 0 ? Number((await this.receive(before))[0]) : value;
  }

  /** Rank 0 sends far ahead of a reader that begins late. */
  async flood(count: number, bell: ActorHandle<Bell>): Promise<number> {
    if (this.rank === 0) {
      for (let n = 0; n < count; n++) {
        await this.send(1, Int32Array.of(n), 'flood');
        if (n === 7) await bell.ring();
      }
      return count;
    }
    await bell.heard();
    for (let n = 0; n < count; n++) {
      const [got] = await this.receive(0, 'flood');
      if (got !== n) return n;
    }
    return count;
  }

  async differently(): Promise<void> {
    if (this.rank === 0) await this.barrier();
    else await this.allReduce(new Float32Array(4));
  }

  lengths(): Promise<Float32Array> {
    return this.allReduce(new Float32Array(4 + this.rank));
  }

  async failsAt(rank: number): Promise<void> {
    if (this.rank === rank) throw new RangeError(`rank ${rank} has no wish to`);
    await this.barrier();
  }

  async diesAt(rank: number): Promise<void> {
    if (this.rank === rank) process.kill(process.pid, 'SIGKILL');
    await this.barrier();
  }

  async sendToItself(): Promise<void> {
    await this.send(this.rank, new Uint8Array(1));
  }
}

export class ThreadMember extends Member {
  static readonly actor = { thread: true };
}
