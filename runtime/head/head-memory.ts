/** What the head knows, and its journal, in which the next head at this address finds it again. */

import { messageOf } from '../errors.js';
import { newProcessId, type ProcessId } from '../ids.js';
import type { Logger } from '../log.js';
import { CodeStore } from './code-store.js';
import type { Change, Journal } from './journal.js';
import { changesOf, type HeadRow, headKey, keyOf } from './records.js';
import { restore } from './restore.js';
import type { HeadState } from './state.js';
import type { Touched } from './turn.js';

export class HeadMemory {
  /** By which others know the head; the same after a restart. */
  readonly cluster: ProcessId;
  /** How often the head has started; absent if it will not be back. */
  readonly epoch: number | undefined;
  readonly state: HeadState;
  readonly codes: CodeStore;
  readonly #log: Logger;
  #journal: Journal | undefined;

  /** @throws RuntimeError `E_JOURNAL`. */
  constructor(journal: Journal | undefined, log: Logger) {
    const { head, state, codes } = restore(journal?.rows() ?? [], Date.now());
    this.#journal = journal;
    this.#log = log;
    this.cluster = head?.cluster ?? newProcessId();
    this.epoch = journal && (head?.epoch ?? 0) + 1;
    this.state = state;
    this.codes = new CodeStore(codes, (id, code) => {
      this.#write([{ key: keyOf.code(id), value: code }]);
    });
    if (this.epoch === undefined) return;
    const row: HeadRow = { cluster: this.cluster, epoch: this.epoch };
    journal?.write([{ key: headKey, value: row }]);
    if (head) log.warn({ epoch: this.epoch, ...sizes(state) }, 'the head is back');
  }

  /** Before anybody hears of what has changed. */
  keep(touched: Touched): void {
    if (this.#journal) this.#write(changesOf(this.state, touched));
  }

  /** The head has not come up: what earlier ones have left stays for the next. */
  async release(): Promise<void> {
    if (this.epoch === 1) await this.#journal?.remove();
    else await this.#journal?.close();
  }

  /** The cluster has ended. */
  async forget(): Promise<void> {
    await this.#journal?.remove();
  }

  #write(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    try {
      this.#journal?.write(changes);
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
