/** Finding a head again that was killed and started anew at its address, as opposed to one that only lost its link. */

import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, RuntimeError } from '../errors.js';
import type { Hello } from './handshake.js';
import type { Message } from './messages.js';

export interface Reconnect {
  /** Dial for so long before the link is given up; 0 gives it up at once. */
  readonly timeoutMs: number;
  /** Wait for it the first time as well. @default false: whoever is not there is `E_UNREACHABLE` */
  readonly isExpected?: boolean;
  /** What a head is told before anything else, the first time and whenever it was restarted. */
  readonly greeting?: () => readonly Message[];
}

interface Dialled<Socket> {
  readonly socket: Socket;
  readonly hello: Hello;
}

export interface RedialOptions<Socket> {
  readonly url: string;
  readonly dial: () => Promise<Dialled<Socket>>;
  /** Of the head that was lost; absent before there was one. */
  readonly known: Hello | undefined;
  readonly timeoutMs: number;
  /** How it was lost. */
  readonly why: string;
  readonly signal: AbortSignal;
}

/** Between two attempts: soon at first, for a restarted head is usually there within a second. */
const firstWaitMs = 25;
const longestWaitMs = 500;

/** @throws Why the head will not be back. */
export async function redial<Socket extends { terminate(): unknown }>(
  options: RedialOptions<Socket>,
): Promise<Dialled<Socket>> {
  const { url, dial, known, timeoutMs, why, signal } = options;
  const deadline = performance.now() + timeoutMs;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      const dialled = await dial();
      const objection = signal.aborted ? why : objectionTo(dialled.hello, known, url, why);
      if (objection === undefined) return dialled;
      dialled.socket.terminate();
      throw new RuntimeError('E_PEER_LOST', objection);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      // Nobody is there yet, or a head that lives has not noticed yet that the link is broken.
      if (code !== 'E_UNREACHABLE' && code !== 'E_LISTEN') throw error;
      if (performance.now() + waitMs > deadline) {
        const text = `${why}; no head was back at ${url} within ${timeoutMs / 1000} s`;
        throw new RuntimeError('E_PEER_LOST', `${text} (${messageOf(error)})`, { cause: error });
      }
    }
    await pause(waitMs, undefined, { signal });
  }
}

function objectionTo(
  { process, epoch = 0 }: Hello,
  known: Hello | undefined,
  url: string,
  why: string,
): string | undefined {
  if (!known) return undefined;
  const knownEpoch = known.epoch ?? 0;
  // It has been there all the time, and has drawn its own conclusions.
  if (process === known.process && epoch === knownEpoch) return why;
  if (process === known.process && epoch > knownEpoch) return undefined;
  return `${why}; at ${url} there is another cluster now, which knows nothing of this one`;
}
