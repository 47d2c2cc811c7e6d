import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test from 'ava';
import { readBody } from '../../../runtime/head/http-body.js';

test('a body that does not come to its end in time is a 408, one that breaks off an error', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write('POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc');
    const [slow] = (await once(server, 'request')) as [IncomingMessage];
    await t.throwsAsync(readBody(slow, 20), { message: /has not arrived within 0\.02 s/ });
    t.like(await readBody(slow, 20).catch((error: unknown) => error), { status: 408 });

    const other = connect(port, '127.0.0.1');
    other.write('POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc');
    const [broken] = (await once(server, 'request')) as [IncomingMessage];
    const body = readBody(broken);
    other.destroy();
    await t.throwsAsync(body, { code: 'ECONNRESET' });
  } finally {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  }
});
