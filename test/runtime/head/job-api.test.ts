import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import test from 'ava';
import { JobApi } from '../../../runtime/head/job-api.js';
import type { Message } from '../../../runtime/wire/messages.js';
import { peerPair } from '../../helpers/peers.js';
import { until } from '../../helpers/until.js';

test('whoever hangs up in the middle of anything is forgotten', async (t) => {
  const asked: Message[] = [];
  const { left: head } = peerPair((peer, message) => {
    asked.push(message);
    if (message.kind === 'job.status') peer.send({ kind: 'reply', id: message.id, value: {} });
  });
  const api = new JobApi(() => head);
  const server = createServer((request, response) => api.serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const say = (request: string): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.write(request);
    return socket;
  };
  try {
    const cases = [
      ['GET /api/jobs/long/logs?follow=1', 'log.read'],
      ['POST /api/jobs/long/stop', 'job.kill'],
      ['GET /api/jobs', 'job.list'],
    ] as const;
    for (const [line, kind] of cases) {
      const socket = say(`${line} HTTP/1.1\r\nhost: h\r\n\r\n`);
      await until(`the head is asked: ${kind}`, () => asked.some((one) => one.kind === kind));
      const { id } = asked.find((one) => one.kind === kind) as { id: number };
      socket.destroy();
      await until(`${kind} is given up`, () =>
        asked.some((one) => one.kind === 'cancel' && one.id === id),
      );
    }
    const before = asked.length;
    const half = say('POST /api/jobs HTTP/1.1\r\nhost: h\r\ncontent-length: 99\r\n\r\n{"command":');
    const [, response] = (await once(server, 'request')) as [unknown, { destroyed: boolean }];
    half.destroy();
    await until('its answer is given up', () => response.destroyed);
    t.is(asked.length, before);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
