/**
 * A link over one WebSocket. Frames above the chunk size travel in pieces, and lanes take turns between pieces, so
 * that a small call never waits for a whole border.
 *
 * Each WebSocket message starts with 8 bytes: u8 piece (0 whole, 1 first, 2 next), u8 lane, u16 zero, u32 bytes of the
 * whole frame. Lanes are ordered, so one unfinished frame per lane is all a receiver ever holds.
 */

import type { WebSocket } from 'ws';
import { RuntimeError } from '../errors.js';
import { type Lane, type Link, type LinkEvents, lanes } from './link.js';

export interface LinkLimits {
  /** Frames above this travel in pieces of this size. @default 256 KiB */
  readonly chunkBytes: number;
  /** Largest frame accepted; a longer announcement closes the link. @default 512 MiB */
  readonly maxFrameBytes: number;
  /** Most bytes queued for a peer before `send` throws. @default 1 GiB */
  readonly maxQueuedBytes: number;
  /** Hand no more to the socket while it holds this much. @default 1 MiB */
  readonly socketBytes: number;
  /** Ping this often; a peer silent for three pings is lost. @default 5_000 */
  readonly pingMs: number;
  /** A peer that does not answer the closing within this is cut off. @default 2_000 */
  readonly closeMs: number;
}

export const linkLimits: LinkLimits = {
  chunkBytes: 256 * 1024,
  maxFrameBytes: 512 * 1024 * 1024,
  maxQueuedBytes: 1024 * 1024 * 1024,
  socketBytes: 1024 * 1024,
  pingMs: 5_000,
  closeMs: 2_000,
};

const prefixBytes = 8;
/** Frames below this are copied on arrival, so that they are aligned and do not pin the socket's buffer. */
const copyBelow = 64 * 1024;

interface Outgoing {
  readonly bytes: Uint8Array<ArrayBuffer>;
  sent: number;
}

interface Incoming {
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

export class WebSocketLink implements Link {
  readonly #socket: WebSocket;
  readonly #limits: LinkLimits;
  readonly #queues: Record<Lane, Outgoing[]> = { control: [], call: [], latest: [] };
  readonly #partial = new Map<Lane, Incoming>();
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
      this.#end(reason.length > 0 ? reason.toString() : `socket closed with code ${code}`),
    );
    if (this.#socket.readyState === this.#socket.CLOSED) this.#end('socket closed');
    this.#pings = setInterval(() => this.#ping(), this.#limits.pingMs);
    this.#pings.unref();
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

  close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#shut(1000, why);
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
    this.#turn = 1 - this.#turn;
    const [first, second] = this.#turn === 0 ? lanes.slice(1) : [lanes[2]!, lanes[1]!];
    if (this.#queues[first!].length > 0) return first;
    return this.#queues[second!].length > 0 ? second : undefined;
  }

  #sendPiece(lane: Lane): void {
    const queue = this.#queues[lane];
    const frame = queue[0]!;
    const total = frame.bytes.byteLength;
    const size = Math.min(total - frame.sent, this.#limits.chunkBytes);
    const message = Buffer.allocUnsafe(prefixBytes + size);
    message.writeUInt8(size === total ? 0 : frame.sent === 0 ? 1 : 2, 0);
    message.writeUInt8(lanes.indexOf(lane), 1);
    message.writeUInt16LE(0, 2);
    message.writeUInt32LE(total, 4);
    message.set(frame.bytes.subarray(frame.sent, frame.sent + size), prefixBytes);
    frame.sent += size;
    this.#queued -= size;
    if (frame.sent === total) queue.shift();
    this.#socket.send(message, { binary: true }, () => this.#pump());
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#closed !== undefined) return;
    this.#silentPings = 0;
    const lane = lanes[data[1] ?? lanes.length];
    const piece = data[0];
    if (!isBinary || data.byteLength < prefixBytes || !lane || piece === undefined || piece > 2) {
      this.#refuse('a malformed piece');
      return;
    }
    const total = data.readUInt32LE(4);
    const body = data.subarray(prefixBytes);
    if (piece === 0) {
      if (body.byteLength === total) this.#deliver(body);
      else this.#refuse('a frame of the wrong length');
      return;
    }
    if (total > this.#limits.maxFrameBytes) {
      this.#refuse(`a frame of ${total} bytes; the limit is ${this.#limits.maxFrameBytes}`);
      return;
    }
    const known = this.#partial.get(lane);
    const partial = known ?? { bytes: new Uint8Array(piece === 1 ? total : 0), filled: 0 };
    const room = partial.bytes.byteLength - partial.filled;
    const follows = piece === 2 && known?.bytes.byteLength === total;
    if ((!follows && (piece !== 1 || known)) || body.byteLength > room) {
      this.#refuse('a piece that belongs to no frame');
      return;
    }
    this.#partial.set(lane, partial);
    partial.bytes.set(body, partial.filled);
    partial.filled += body.byteLength;
    if (partial.filled < partial.bytes.byteLength) return;
    this.#partial.delete(lane);
    this.#events?.frame(partial.bytes);
  }

  #deliver(body: Buffer): void {
    const aligned = body.byteOffset % 8 === 0 && body.byteLength >= copyBelow;
    this.#events?.frame(aligned ? body : Uint8Array.from(body));
  }

  #refuse(what: string): void {
    this.#shut(1002, what);
    this.#end(`the peer sent ${what}`);
  }

  #ping(): void {
    if (this.#silentPings >= 3) {
      this.#socket.terminate();
      this.#end(`no sign of life for ${(3 * this.#limits.pingMs) / 1000} s`);
      return;
    }
    this.#silentPings++;
    this.#socket.ping();
  }

  #end(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    clearInterval(this.#pings);
    for (const lane of lanes) this.#queues[lane].length = 0;
    this.#partial.clear();
    this.#events?.closed(why);
  }
}
