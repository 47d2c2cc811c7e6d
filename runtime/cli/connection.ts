/** The cluster that a command looks at. */

import type { Command } from 'commander';
import { type Cluster, connect } from '../client/cluster.js';
import { defaultPort } from '../head/head.js';
import { readToken } from './options.js';

export interface ConnectionOptions {
  readonly address?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
}

export const withConnection = (command: Command): Command =>
  command
    .option(
      '--address <url>',
      `the head (default: PATCHBAY_ADDRESS, or ws://127.0.0.1:${defaultPort})`,
    )
    .option('--token-file <file>', 'file with the token')
    .option(
      '--tls-ca <file>',
      'authorities that a head at wss:// is believed by (or PATCHBAY_TLS_CA)',
    );

/** @throws RuntimeError `E_TOKEN`, `E_TLS`, `E_UNREACHABLE`, `E_PROTOCOL`. */
export function openConnection({
  address,
  tokenFile,
  tlsCa: ca,
}: ConnectionOptions): Promise<Cluster> {
  return connect({
    address: address ?? process.env['PATCHBAY_ADDRESS'] ?? `ws://127.0.0.1:${defaultPort}`,
    ...(ca === undefined ? {} : { tls: { ca } }),
    token: readToken(tokenFile),
    logToDriver: false,
  });
}
