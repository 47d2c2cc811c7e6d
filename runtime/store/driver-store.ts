/** The store of a program that belongs to no node: made with its connection, gone with its process. */

import type { HomeStore } from '../object/shared-values.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { ObjectStore } from './object-store.js';
import { newSpillFolder, newStoreFolder, sweepStoreFolders } from './store-folder.js';

const driverName = `driver ${process.pid}`;

export class DriverStore {
  readonly #endpoint: Endpoint;
  readonly #store: ObjectStore;
  /** A program that ends without closing its cluster leaves nothing either; one that is killed is swept up after. */
  readonly #atExit = (): void => this.#store.close();

  constructor(endpoint: Endpoint, bytes: number | undefined) {
    sweepStoreFolders();
    this.#endpoint = endpoint;
    this.#store = new ObjectStore({
      endpoint,
      folder: newStoreFolder(),
      spillFolder: newSpillFolder(),
      name: driverName,
      bytes,
      warn: (text) => console.warn(`patchbay: ${text}`),
    });
    process.once('exit', this.#atExit);
  }

  get home(): HomeStore {
    return { address: this.#endpoint.address, node: driverName };
  }

  serve(peer: Peer, message: Message): boolean {
    return this.#store.serve(peer, message);
  }

  left(peer: Peer): void {
    this.#store.left(peer);
  }

  close(): void {
    process.off('exit', this.#atExit);
    this.#store.close();
  }
}
