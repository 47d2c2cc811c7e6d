/** What those who run things on a node need of it. */

import type { CodeId, NodeId } from '../ids.js';
import type { LogLimits } from '../observe/actor-log.js';
import type { HostTrace, LogSource, Output } from '../observe/reports.js';
import type { Message } from '../wire/messages.js';
import type { HostLinks } from './host-links.js';
import type { HostPool } from './pool.js';

export interface NodeSite {
  readonly node: { readonly id: NodeId; readonly name: string };
  readonly headUrl: string;
  readonly pool: () => HostPool;
  readonly hosts: HostLinks;
  /** A bundle's file on this node. */
  readonly file: (code: CodeId) => Promise<string>;
  readonly tellHead: (message: Message) => void;
  readonly observer: {
    begins(source: LogSource, label: string, limits?: Partial<LogLimits>): TakeOutput;
    exited(source: LogSource): void;
    keep(trace: HostTrace | undefined): void;
  };
}

export type TakeOutput = (stream: Output, text: string) => void;
