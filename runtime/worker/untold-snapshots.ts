/** Snapshots of actors until a head has said that it keeps them: one that is killed may not have heard of the last. */

import type { ActorId } from '../ids.js';
import type { MessageOf } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';

type Snapshot = MessageOf<'actor.snapshot'>;

export class UntoldSnapshots {
  readonly #last = new Map<ActorId, Snapshot>();
  readonly #head: () => Pick<Peer, 'send' | 'request'> | undefined;
  #isSettling = false;

  constructor(head: () => Pick<Peer, 'send' | 'request'> | undefined) {
    this.#head = head;
  }

  /** The last of each actor, for a head that was restarted: before the exits, with which actors begin anew. */
  get all(): readonly Snapshot[] {
    return [...this.#last.values()];
  }

  /** While there is no head it is only remembered. */
  tell(snapshot: Snapshot): void {
    this.#last.set(snapshot.actor, snapshot);
    this.#head()?.send(snapshot);
    if (!this.#isSettling) void this.#settle();
  }

  /** The actor begins anew: its head knows better. */
  forget(actor: ActorId): void {
    this.#last.delete(actor);
  }

  async #settle(): Promise<void> {
    this.#isSettling = true;
    try {
      for (let told = this.all; told.length > 0; told = this.all) {
        await this.#head()?.request({ kind: 'told.kept' });
        for (const snapshot of told) {
          if (this.#last.get(snapshot.actor) === snapshot) this.#last.delete(snapshot.actor);
        }
      }
    } catch {
      // The head is gone for good.
    } finally {
      this.#isSettling = false;
    }
  }
}
