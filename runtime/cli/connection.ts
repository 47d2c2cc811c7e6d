/** The cluster that a command looks at. */

import type { Command } from 'commander';
import { type Cluster, connect } from '../client/cluster.js';
import { defaultPort } from '../head/head.js';
import { readToken } from './options.js';

export interface ConnectionOptions {
  readonly address?: string;
  readonly tokenFile?: string;
}

export const withConnection = (command: Command): Command =>
  command
    .option(
      '--address <url>',
      `the head (default: PATCHBAY_ADDRESS, or ws://127.0.0.1:${defaultPort})`,
    )
    .option('--token-file <file>', 'file with the token');

/** @throws RuntimeError `E_TOKEN`, `E_UNREACHABLE`, `E_PROTOCOL`. */
export function openConnection({ address, tokenFile }: ConnectionOptions): Promise<Cluster> {
  return connect({
    address: address ?? process.env['PATCHBAY_ADDRESS'] ?? `ws://127.0.0.1:${defaultPort}`,
    token: readToken(tokenFile),
    logToDriver: false,
  });
}
