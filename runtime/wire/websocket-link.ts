/**
 * A link over one WebSocket. Frames above the chunk size travel in pieces, and lanes take turns between pieces, so
 * that a small call never waits for a whole border.
 *
 * A WebSocket message starts with 8 bytes: u8 piece (0 whole, 1 first, 2 next), u8 lane, u16 zero, u32 bytes of the
 * whole frame. A whole frame follows in the same message; a piece is a message of its own, so that it is sent from where
 * it lies. Lanes are ordered, so one unfinished frame per lane is all a receiver ever holds.
 */

import type { WebSocket } from 'ws';
import { RuntimeError } from '../errors.js';
import { type Lane, type Link, type LinkEvents, lanes } from './link.js';
import { newFrame } from './memory.js';

export interface LinkLimits {
  /** Frames above this travel in pieces of this size. @default 256 KiB */
  readonly chunkBytes: number;
  /** Largest frame accepted; a longer announcement closes the link. @default 512 MiB */
  readonly maxFrameBytes: number;
  /** Most bytes queued for a peer before `send` throws. @default 1 GiB */
  readonly maxQueuedBytes: number;
  /** Hand no more to the socket while it holds this much. @default 1 MiB */
  readonly socketBytes: number;
  /** Ping this often. @default 5_000 */
  readonly pingMs: number;
  /**
   * A peer that is silent for so many pings is lost. Infinity sends none: the kernel asks a peer only over a connection on
   * which nothing is under way.
   *
   * @default 3
   */
  readonly silentPings: number;
  /** A peer that does not answer the closing within this is cut off. @default 2_000 */
  readonly closeMs: number;
}

export const linkLimits: LinkLimits = {
  chunkBytes: 256 * 1024,
  maxFrameBytes: 512 * 1024 * 1024,
  maxQueuedBytes: 1024 * 1024 * 1024,
  socketBytes: 1024 * 1024,
  pingMs: 5_000,
  silentPings: 3,
  closeMs: 2_000,
};

/** They take turns; `control` does not wait for them. */
const others = lanes.slice(1);

/** Of a WebSocket that is closed on purpose. */
const meantCode = 1000;
/** Of one that is to be dialled again: service restart. */
const againCode = 1012;
const prefixBytes = 8;
/** Frames up to this go out in one message, copied behind their prefix; larger ones are sent from where they lie. */
const inlineBytes = 16 * 1024;

interface Outgoing {
  readonly bytes: Uint8Array<ArrayBuffer>;
  sent: number;
}

interface Incoming {
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

/** What the next WebSocket message is a piece of. */
interface Announced {
  readonly lane: Lane;
  readonly isFirst: boolean;
  readonly total: number;
}

export class WebSocketLink implements Link {
  readonly #socket: WebSocket;
  readonly #limits: LinkLimits;
  readonly #queues: Record<Lane, Outgoing[]> = {
    control: [],
    call: [],
    latest: [],
    object: [],
  };
  readonly #partial = new Map<Lane, Incoming>();
  #announced: Announced | undefined;
  #queued = 0;
  #turn = 0;
  #events: LinkEvents | undefined;
  #silentPings = 0;
  #pings: NodeJS.Timeout | undefined;
  #closed: string | undefined;

  constructor(socket: WebSocket, limits: LinkLimits) {
    this.#socket = socket;
    this.#limits = limits;
    socket.binaryType = 'nodebuffer';
    socket.pause();
  }

  open(events: LinkEvents): void {
    this.#events = events;
    this.#socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
    this.#socket.on('pong', () => {
      this.#silentPings = 0;
    });
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', (code, reason) =>
      this.#end(
        reason.length > 0 ? reason.toString() : `socket closed with code ${code}`,
        code === meantCode,
      ),
    );
    if (this.#socket.readyState === this.#socket.CLOSED) this.#end('socket closed');
    const { pingMs, silentPings } = this.#limits;
    if (Number.isFinite(silentPings)) {
      this.#pings = setInterval(() => this.#ping(), pingMs);
      this.#pings.unref();
    }
    this.#socket.resume();
  }

  send(bytes: Uint8Array<ArrayBuffer>, lane: Lane): void {
    if (this.#closed !== undefined) throw new RuntimeError('E_CLOSED', this.#closed);
    const { maxFrameBytes, maxQueuedBytes } = this.#limits;
    if (bytes.byteLength > maxFrameBytes) {
      const text = `${bytes.byteLength} bytes in one message; the limit is ${maxFrameBytes}`;
      throw new RuntimeError('E_ENCODE', text);
    }
    if (this.#queued + bytes.byteLength > maxQueuedBytes) {
      throw new RuntimeError(
        'E_BACKPRESSURE',
        `${this.#queued} bytes are queued for a peer that does not read`,
      );
    }
    this.#queued += bytes.byteLength;
    this.#queues[lane].push({ bytes, sent: 0 });
    this.#pump();
  }

  close(why: string, isMeant = true): void {
    if (this.#closed !== undefined) return;
    this.#shut(isMeant ? meantCode : againCode, why);
    this.#end(why);
  }

  #shut(code: number, why: string): void {
    // A reason has room for 123 bytes, and no script needs more than three for a UTF-16 unit.
    this.#socket.close(code, why.slice(0, 40));
    const timer = setTimeout(() => this.#socket.terminate(), this.#limits.closeMs);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #pump(): void {
    while (this.#closed === undefined && this.#socket.bufferedAmount < this.#limits.socketBytes) {
      const lane = this.#nextLane();
      if (!lane) return;
      this.#sendPiece(lane);
    }
  }

  /** Control first; the other lanes take turns, piece by piece. */
  #nextLane(): Lane | undefined {
    if (this.#queues.control.length > 0) return 'control';
    for (let tries = 0; tries < others.length; tries++) {
      this.#turn = (this.#turn + 1) % others.length;
      const lane = others[this.#turn]!;
      if (this.#queues[lane].length > 0) return lane;
    }
    return undefined;
  }

  #sendPiece(lane: Lane): void {
    const queue = this.#queues[lane];
    const frame = queue[0]!;
    const total = frame.bytes.byteLength;
    const isWhole = total <= inlineBytes;
    const size = isWhole ? total : Math.min(total - frame.sent, this.#limits.chunkBytes);
    const prefix = Buffer.allocUnsafe(prefixBytes + (isWhole ? total : 0));
    prefix.writeUInt8(isWhole ? 0 : frame.sent === 0 ? 1 : 2, 0);
    prefix.writeUInt8(lanes.indexOf(lane), 1);
    prefix.writeUInt16LE(0, 2);
    prefix.writeUInt32LE(total, 4);
    const piece = frame.bytes.subarray(frame.sent, frame.sent + size);
    frame.sent += size;
    this.#queued -= size;
    if (frame.sent === total) queue.shift();
    const sent = (): void => this.#pump();
    if (isWhole) {
      prefix.set(piece, prefixBytes);
      this.#socket.send(prefix, { binary: true }, sent);
    } else {
      this.#socket.send(prefix, { binary: true });
      this.#socket.send(piece, { binary: true }, sent);
    }
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#closed !== undefined) return;
    this.#silentPings = 0;
    const announced = this.#announced;
    this.#announced = undefined;
    if (!isBinary) {
      this.#refuse('a text');
    } else if (announced) {
      this.#assemble(announced, data);
    } else {
      this.#announce(data);
    }
  }

  /** A whole small frame, or what the next message is a piece of. */
  #announce(data: Buffer): void {
    const lane = lanes[data[1] ?? lanes.length];
    const piece = data[0];
    if (data.byteLength < prefixBytes || !lane || piece === undefined || piece > 2) {
      this.#refuse('a malformed piece');
      return;
    }
    const total = data.readUInt32LE(4);
    const body = data.subarray(prefixBytes);
    if (piece === 0 && body.byteLength === total) {
      // Copied, so that it is aligned and does not pin the socket's buffer.
      this.#events?.frame(Uint8Array.from(body));
    } else if (piece === 0 || body.byteLength > 0) {
      this.#refuse('a frame of the wrong length');
    } else if (total > this.#limits.maxFrameBytes) {
      this.#refuse(`a frame of ${total} bytes; the limit is ${this.#limits.maxFrameBytes}`);
    } else {
      this.#announced = { lane, isFirst: piece === 1, total };
    }
  }

  #assemble({ lane, isFirst, total }: Announced, body: Buffer): void {
    const known = this.#partial.get(lane);
    const follows = isFirst ? !known : known?.bytes.byteLength === total;
    const partial = known ?? { bytes: newFrame(follows ? total : 0), filled: 0 };
    if (!follows || body.byteLength > total - partial.filled) {
      this.#refuse('a piece that belongs to no frame');
      return;
    }
    partial.bytes.set(body, partial.filled);
    partial.filled += body.byteLength;
    if (partial.filled < total) {
      this.#partial.set(lane, partial);
      return;
    }
    this.#partial.delete(lane);
    this.#events?.frame(partial.bytes);
  }

  #refuse(what: string): void {
    this.#shut(1002, what);
    this.#end(`the peer sent ${what}`);
  }

  #ping(): void {
    const { pingMs, silentPings } = this.#limits;
    if (this.#silentPings >= silentPings) {
      this.#socket.terminate();
      this.#end(`no sign of life for ${(silentPings * pingMs) / 1000} s`);
      return;
    }
    this.#silentPings++;
    this.#socket.ping();
  }

  #end(why: string, isMeant = false): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    clearInterval(this.#pings);
    for (const lane of lanes) this.#queues[lane].length = 0;
    this.#partial.clear();
    this.#events?.closed(why, isMeant);
  }
}
