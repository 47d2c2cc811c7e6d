/** How fast borders travel from one device to another: on their own lane, in messages of some size. */

import { nanoid } from 'nanoid';
import { VersionedMailbox } from '../../actors/index.js';
import type { ActorHandle } from '../../runtime/index.js';
import type { LinkCost } from '../partition/cost.js';
import { timeRuns } from './time-steps.js';

/** The device at the other end. */
export interface ProbedDevice {
  /** On the latest-wins lane. */
  probe(trial: string, version: number, bytes: Uint8Array): Promise<void>;
  /** Answers when that version is here. */
  probed(trial: string, version: number): Promise<void>;
}

/** Notes which messages of a trial have come. */
export class LinkProbe {
  /** How long each was: the messages themselves would stay here after the trial. */
  readonly #mailbox = new VersionedMailbox<number>();

  put(trial: string, version: number, bytes: Uint8Array): Promise<void> {
    return this.#mailbox.put(trial, version, bytes.byteLength);
  }

  async take(trial: string, version: number): Promise<void> {
    await this.#mailbox.take(trial, version);
  }
}

const [largeBytes, smallBytes] = [4_000_000, 16];
const rounds = 6;

/** @throws RuntimeError if the device at the other end dies. */
export async function timeLink(peer: ActorHandle<ProbedDevice>): Promise<LinkCost> {
  const trial = nanoid();
  const secondsOf = (bytes: number, first: number): Promise<number> => {
    const message = new Uint8Array(bytes);
    return timeRuns(first, first + rounds, 1, async (version) => {
      peer.latest('probe').probe(trial, version, message);
      await peer.probed(trial, version);
    });
  };
  const small = await secondsOf(smallBytes, 0);
  const large = await secondsOf(largeBytes, rounds);
  // A small answer comes back from either; a link so fast that noise is longer counts as a tenth of the whole.
  const bytesPerSecond = largeBytes / Math.max(large - small, large / 10);
  return { bytesPerSecond, latency: small / 2 };
}
