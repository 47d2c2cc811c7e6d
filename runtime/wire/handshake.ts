/**
 * Who is calling, settled in the HTTP upgrade: the token is compared before anything else is looked at, and both
 * sides know each other when the socket opens, with no round trip of its own.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import type { ProcessId } from '../ids.js';
import { protocol, type Role } from './messages.js';

export interface Hello {
  readonly process: ProcessId;
  readonly role: Role;
  /** Machine on which the process runs; equal machines may use Unix sockets. */
  readonly machine: string;
  /** Of a head that will be back if it dies: how often it has started. */
  readonly epoch?: number;
}

export const helloHeader = 'x-patchbay-hello';
export const welcomeHeader = 'x-patchbay-welcome';

const schema = z.object({
  oldest: z.int(),
  newest: z.int(),
  process: z.string().min(1).max(64),
  role: z.enum(['head', 'agent', 'host', 'driver']),
  machine: z.string().max(200),
  epoch: z
    .int()
    .positive()
    .max(2 ** 20)
    .optional(),
});

export const encodeHello = (hello: Hello): string =>
  Buffer.from(JSON.stringify({ ...protocol, ...hello })).toString('base64url');

/** The hello, or in words why it is not acceptable. */
export function decodeHello(header: string | string[] | undefined): Hello | string {
  if (typeof header !== 'string' || header.length > 1000) return 'no hello';
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch {
    return 'unreadable hello';
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) return 'malformed hello';
  const { oldest, newest, process, role, machine, epoch } = parsed.data;
  if (oldest > protocol.newest || newest < protocol.oldest) {
    return `protocol ${oldest}-${newest} is not spoken here, only ${protocol.oldest}-${protocol.newest}`;
  }
  return {
    process: process as ProcessId,
    role,
    machine,
    ...(epoch === undefined ? {} : { epoch }),
  };
}

export const bearer = (token: string): string => `Bearer ${token}`;

/** Compares digests in constant time, so neither content nor length leaks. */
export function tokenMatches(headers: IncomingHttpHeaders, token: string): boolean {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(headers.authorization ?? ''), digest(bearer(token)));
}
