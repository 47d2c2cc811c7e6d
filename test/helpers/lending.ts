/** Endpoints that lend memory to each other, as drivers and hosts do. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { collectGarbage } from '../../runtime/store/garbage.js';
import { SharedLending } from '../../runtime/store/shared-lending.js';
import type { Message } from '../../runtime/wire/messages.js';
import type { Peer } from '../../runtime/wire/peer.js';
import { call, type Opened, type OpenOptions, openEndpoint } from './endpoints.js';
import { until } from './until.js';

export interface OpenedLending extends AsyncDisposable {
  readonly opened: Opened;
  readonly lending: SharedLending;
  /** Arguments of the calls so far, unless they were let go of. */
  readonly held: (readonly unknown[])[];
}

export interface LendingOptions extends OpenOptions {
  /** To lend. @default 16 MiB */
  readonly bytes?: number;
  /** Of the lender. @default performance.now */
  readonly clock?: () => number;
  /** What answers calls. @default their first argument */
  readonly reply?: (args: readonly unknown[]) => unknown;
  /** Keep the arguments of calls and tells. @default false */
  readonly holds?: boolean;
}

export async function openLending({
  bytes = 16 * 2 ** 20,
  reply = ([first]) => first ?? null,
  holds = false,
  clock = () => performance.now(),
  ...options
}: LendingOptions = {}): Promise<OpenedLending> {
  let lending: SharedLending | undefined;
  const held: (readonly unknown[])[] = [];
  const opened = await openEndpoint({
    unix: true,
    lending: (endpoint) => {
      lending = new SharedLending(endpoint, { bytes, clock });
      return lending;
    },
    events: {
      message(peer: Peer, message: Message) {
        if (message.kind === 'store.collect') {
          void collectGarbage().then(() => {
            peer.send({ kind: 'reply', id: message.id, value: null });
          });
        }
        if (message.kind !== 'call' && message.kind !== 'tell') return;
        if (holds) held.push(message.args);
        if (message.kind === 'tell') return;
        peer.send({ kind: 'reply', id: message.id, value: reply(message.args) });
      },
    },
    ...options,
  });
  return {
    opened,
    lending: lending!,
    held,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** Calls until an argument of so many bytes did not go over the link: memory is offered when there is something to lend. */
export async function untilLent(peer: Peer, bytes: number = 2 ** 17): Promise<void> {
  const before = peer.lentBytes;
  await until('an argument is lent', async () => {
    await peer.request(call(null, new Uint8Array(bytes)));
    return peer.lentBytes > before;
  });
}

/** Looks for garbage until nobody looks at what was lent. */
export const allBack = ({ lending }: OpenedLending): Promise<void> =>
  until('what was lent comes back', async () => {
    await collectGarbage();
    return lending.lender.bytes === 0;
  });

/** Memory without a name that this process has mapped. */
export const mapped = (): number =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => /\/dev\/shm\/#\d+ \(deleted\)$/.test(line)).length;

/** Of the machine's memory, bytes that this process has behind memory without a name. */
export const nameless = (): number =>
  readdirSync('/proc/self/fd')
    .map((fd) => `/proc/self/fd/${fd}`)
    .filter((file) => /^\/dev\/shm\/#/.test(linkOf(file)))
    .reduce((sum, file) => sum + 512 * statSync(file).blocks, 0);

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    // It was that of the folder itself.
    return '';
  }
}
