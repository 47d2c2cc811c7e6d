/** What the head knows, and its journal, in which the next head at this address finds it again. */

import { messageOf, type RuntimeError } from '../errors.js';
import { newProcessId, type ProcessId } from '../ids.js';
import type { Logger } from '../log.js';
import { CodeStore } from './code-store.js';
import type { Change, Journal } from './journal.js';
import { changesOf, type HeadRow, headKey, keyOf } from './records.js';
import { type Restored, restore } from './restore.js';
import type { HeadState } from './state.js';
import type { Touched } from './turn.js';

export class HeadMemory {
  /** By which others know the head; the same after a restart. */
  readonly cluster: ProcessId;
  /** How often the head has started; absent if it will not be back. */
  readonly epoch: number | undefined;
  readonly state: HeadState;
  readonly codes: CodeStore;
  /** Settles if the head has to end, because of its journal. */
  readonly lost: Promise<RuntimeError>;
  readonly #log: Logger;
  #journal: Journal | undefined;
  /** Settles when all that was written is kept; absent if it is. */
  #keeping: Promise<void> | undefined;
  /** What waits for that. */
  #waiting = 0;
  #isLost = false;

  private constructor(journal: Journal | undefined, { head, state, codes }: Restored, log: Logger) {
    this.lost = journal?.lost ?? new Promise(() => undefined);
    void this.lost.then(() => {
      this.#isLost = true;
    });
    this.#journal = journal;
    this.#log = log;
    this.cluster = head?.cluster ?? newProcessId();
    this.epoch = journal && (head?.epoch ?? 0) + 1;
    this.state = state;
    this.codes = new CodeStore(codes, (id, code) => {
      this.#write([{ key: keyOf.code(id), value: code }]);
    });
  }

  /** @throws RuntimeError `E_JOURNAL`. */
  static async open(journal: Journal | undefined, log: Logger): Promise<HeadMemory> {
    const restored = restore((await journal?.rows()) ?? [], Date.now());
    const memory = new HeadMemory(journal, restored, log);
    const { cluster, epoch, state, lost } = memory;
    if (epoch === undefined) return memory;
    const row: HeadRow = { cluster, epoch };
    const failed = lost.then((error) => Promise.reject(error));
    await Promise.race([journal?.write([{ key: headKey, value: row }]), failed]);
    if (restored.head) log.warn({ epoch, ...sizes(state) }, 'the head is back');
    return memory;
  }

  /** `whenKept` says when others may hear of what has changed. */
  keep(touched: Touched): void {
    if (this.#journal) this.#write(changesOf(this.state, touched));
  }

  /** At once if all that was written is kept, otherwise later, in order. */
  whenKept(then: () => void): void {
    if (!this.#keeping) {
      then();
      return;
    }
    this.#waiting++;
    void this.#keeping.then(() => {
      if (--this.#waiting === 0) this.#keeping = undefined;
      then();
    });
  }

  /** Whether the cluster is not this head's to end: it is older, or has another head by now. */
  get isShared(): boolean {
    return this.#isLost || (this.epoch ?? 1) > 1;
  }

  /** The head goes; what is not its own stays for the next. */
  async release(): Promise<void> {
    if (this.isShared) await this.#journal?.close();
    else await this.#journal?.remove();
  }

  /** The cluster has ended. */
  async forget(): Promise<void> {
    await this.#journal?.remove();
  }

  #write(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    try {
      this.#keeping = this.#journal?.write(changes) ?? this.#keeping;
    } catch (error) {
      // An old state would do harm: better none.
      this.#log.error(`${messageOf(error)}; this cluster will not survive its head`);
      const journal = this.#journal;
      this.#journal = undefined;
      journal?.remove().catch((reason: unknown) => this.#log.error(messageOf(reason)));
    }
  }
}

const sizes = ({ nodes, actors, groups }: HeadState): Readonly<Record<string, number>> => ({
  nodes: nodes.size,
  actors: actors.size,
  groups: groups.size,
});
