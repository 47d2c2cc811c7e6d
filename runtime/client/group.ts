/** A placement group: bundles of resources reserved together, for actors that only make sense together. */

import type { GroupId } from '../ids.js';
import type { Peer } from '../wire/peer.js';

export class PlacementGroup implements AsyncDisposable {
  readonly id: GroupId;
  readonly #head: () => Promise<Peer>;

  constructor(id: GroupId, head: () => Promise<Peer>) {
    this.id = id;
    this.#head = head;
  }

  /** Ends the group's actors; settles when they are dead and their resources free. */
  async remove(): Promise<void> {
    const head = await this.#head();
    await head.request({ kind: 'group.remove', group: this.id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}
