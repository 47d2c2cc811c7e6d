/** The links of a node's hosts, by process id. A host reports itself when it has started. */

import { RuntimeError } from '../errors.js';
import type { Peer } from '../wire/peer.js';
import type { HostProcess } from './pool.js';

/** A host must report within this. */
const readyMs = 30_000;
/** What a host has sent before it died is read within this. */
const lastWordsMs = 500;

export class HostLinks {
  readonly #peers = new Map<number, Peer>();
  readonly #awaited = new Map<number, (peer: Peer) => void>();
  /** Who waits for a link to be gone. */
  readonly #leaving = new Map<Peer, () => void>();
  /** Of the node, for error texts. */
  readonly #node: string;

  constructor(node: string) {
    this.#node = node;
  }

  ready(pid: number, peer: Peer): void {
    this.#peers.set(pid, peer);
    this.#awaited.get(pid)?.(peer);
  }

  get(pid: number): Peer | undefined {
    return this.#peers.get(pid);
  }

  /** @throws RuntimeError `E_ACTOR_START` if the host does not report, or has ended. */
  of(host: HostProcess): Promise<Peer> {
    const known = this.#peers.get(host.pid);
    if (known) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new RuntimeError('E_ACTOR_START', `a host on ${this.#node} did not come up`));
      }, readyMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#awaited.delete(host.pid);
      };
      this.#awaited.set(host.pid, (peer) => {
        settle();
        resolve(peer);
      });
      void host.exited.then(({ stderrTail }) => {
        settle();
        reject(new RuntimeError('E_ACTOR_START', `a host ended at once: ${stderrTail.join('\n')}`));
      });
    });
  }

  /** A link has ended: the process id of its host, if it was one's. */
  left(peer: Peer): number | undefined {
    this.#leaving.get(peer)?.();
    for (const [pid, known] of this.#peers) {
      if (known !== peer) continue;
      this.#peers.delete(pid);
      return pid;
    }
    return undefined;
  }

  /** The process is gone: resolves when what it had sent before was read. */
  async drained(pid: number): Promise<void> {
    const peer = this.#peers.get(pid);
    if (!peer || peer.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lastWordsMs);
      this.#leaving.set(peer, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#leaving.delete(peer);
    this.#peers.delete(pid);
  }
}
