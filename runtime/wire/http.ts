/** Plain HTTP requests to a process's address: for those who show the token, where the process answers any at all. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { tokenMatches } from './handshake.js';
import { authenticated } from './listener.js';

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers what is for everybody, and says nothing of the cluster; false for all else. */
export type OpenHttpHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * @param answer What the process has to say. @default it speaks WebSocket only
 * @param open What it says before the token is looked at. @default nothing
 */
export const guardHttp =
  (token: string, answer?: HttpHandler, open?: OpenHttpHandler): HttpHandler =>
  (request, response) => {
    if (open?.(request, response)) return;
    if (!answer) {
      response.writeHead(426, { 'content-type': 'text/plain' }).end('WebSocket only\n');
    } else if (!tokenMatches(request.headers, token)) {
      const headers = { 'content-type': 'text/plain', 'www-authenticate': 'Bearer' };
      response.writeHead(401, { ...headers, connection: 'close' }).end('wrong token\n');
    } else {
      authenticated(request.socket);
      answer(request, response);
    }
  };
