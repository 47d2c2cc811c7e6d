/** Two peers over a link, whose messages are handled by functions. */

import type { ProcessId } from '../../runtime/ids.js';
import { type Link, memoryLink } from '../../runtime/wire/link.js';
import type { Message } from '../../runtime/wire/messages.js';
import { Peer } from '../../runtime/wire/peer.js';

export interface PeerPair {
  readonly left: Peer;
  readonly right: Peer;
  /** Why each side closed, in order. */
  readonly ends: string[];
}

export function peerPair(
  onRight: (peer: Peer, message: Message) => void,
  links: readonly [Link, Link] = memoryLink(),
): PeerPair {
  const ends: string[] = [];
  const make = (name: string, message: (peer: Peer, message: Message) => void): Peer =>
    new Peer(
      name as ProcessId,
      name,
      { message, closed: (_, why) => ends.push(`${name}: ${why}`) },
      () => (ref) => ref,
    );
  const left = make('right', () => undefined);
  const right = make('left', onRight);
  left.attach(links[0]);
  right.attach(links[1]);
  return { left, right, ends };
}
