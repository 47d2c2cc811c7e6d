/** Entry of a head process; an embedded cluster starts it and is told the address over the IPC channel. */

import { newLogger } from '../log.js';
import { serveUntilOrphaned } from '../process.js';
import { Head, type HeadOptions } from './head.js';

await serveUntilOrphaned<Omit<HeadOptions, 'log'>>(async (options) => {
  const head = await Head.start({ ...options, log: newLogger('head') });
  return { server: head, ready: head.address.url, ended: new Promise(() => undefined) };
});
