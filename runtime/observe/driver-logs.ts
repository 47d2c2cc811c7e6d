/** Lines of the actors and tasks that work for this program, as they arrive. */

import { messageOf } from '../errors.js';
import type { ActorId } from '../ids.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { isJobSource, type Output } from './reports.js';

export interface LogLine {
  readonly actor: ActorId;
  /** The actor's class and name: `Counter "c"`. */
  readonly label: string;
  /** Name of the node. */
  readonly node: string;
  readonly stream: Output;
  /** Without its end. */
  readonly text: string;
}

/** Print lines, do not ask for them, or take each. */
export type LogToDriver = boolean | ((line: LogLine) => void);

export interface ReadLogOptions {
  /** Begin with so many of the last lines. @default 1_000, which is all that is kept */
  readonly tail?: number;
  /** Go on until the actor is dead. @default false */
  readonly follow?: boolean;
  /** Stop reading, with `E_ABORTED`. */
  readonly signal?: AbortSignal;
}

export class DriverLogs {
  readonly #take: (line: LogLine) => void;

  constructor(take: true | ((line: LogLine) => void)) {
    this.#take = take === true ? print : take;
  }

  /** Whether the message was one of lines. */
  serve(peer: Peer, message: Message): boolean {
    if (message.kind !== 'log.lines') return false;
    const { id, actor, label, node, lines } = message;
    try {
      for (const { stream, text } of lines) {
        // A job's own lines go to those who read them, not to a driver.
        if (!isJobSource(actor)) this.#take({ actor, label, node, stream, text });
      }
    } catch (error) {
      console.error(`logToDriver failed: ${messageOf(error)}`);
    }
    peer.send({ kind: 'reply', id, value: null });
    return true;
  }

  /** What was printed before this has arrived, if the cluster answers in time. */
  async drain(head: Peer): Promise<void> {
    await head
      .request({ kind: 'log.flush' }, { signal: AbortSignal.timeout(drainMs) })
      .catch(() => undefined);
  }
}

const drainMs = 1_000;

export const logText = ({ label, node, text }: LogLine): string => `(${label}, ${node}) ${text}`;

function print(line: LogLine): void {
  process[line.stream].write(`${logText(line)}\n`);
}
