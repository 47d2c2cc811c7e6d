/**
 * The two ends of the way from one patch to another: messages of float32 values in, bytes in the plan's precision out, and
 * back. Residual wires have a memory at both ends, the base: what the reader has put together so far.
 */

import { PcppError } from '../errors.js';
import type { PatchPlan } from '../partition/plan.js';
import { type FrameKind, isResidual, wireLayoutOf } from '../partition/wire.js';
import { decodeValues, encodeValues } from './border-coding.js';

/** Their place is their code in the header. */
const kinds: readonly FrameKind[] = ['steady', 'key', 'repair'];

/** Versions whose base is kept for repairs: patches are at most twice the age apart. */
const repairable = ({ age }: PatchPlan): number => 2 * age + 2;

export class BorderSender {
  readonly #plan: PatchPlan;
  readonly #from: number;
  readonly #to: number;
  /** Residual wires: what the reader knows, by version, the newest last. */
  readonly #bases = new Map<number, Float32Array>();

  constructor(plan: PatchPlan, from: number, to: number) {
    this.#plan = plan;
    this.#from = from;
    this.#to = to;
  }

  /**
   * @param payload As `packMessage` lays it out.
   * @param version Its step; each is one later than the one before.
   */
  encode(payload: Float32Array, version: number): Uint8Array {
    if (!isResidual(this.#plan.wire)) return this.#frame('steady', payload, version);
    const base = this.#bases.get(version - 1);
    const frame = base
      ? this.#frame('steady', differences(payload, base, this.#exact), version)
      : this.#frame('key', payload, version);
    const next = payload.slice();
    if (base) next.set(base.subarray(this.#exact), this.#exact);
    const layout = this.#layout(base ? 'steady' : 'key');
    decodeValues(layout, frame, next.subarray(layout.exact), base !== undefined);
    this.#bases.set(version, next);
    this.#bases.delete(version - repairable(this.#plan));
    return frame;
  }

  /** What a reader that lost this version needs in its place; undefined if it is not remembered any more. */
  repair(version: number): Uint8Array | undefined {
    const base = this.#bases.get(version);
    return base && this.#frame('repair', base, version);
  }

  get #exact(): number {
    return this.#layout('steady').exact;
  }

  #layout(kind: FrameKind) {
    return wireLayoutOf(this.#plan, this.#from, this.#to, kind);
  }

  #frame(kind: FrameKind, payload: Float32Array, version: number): Uint8Array {
    const layout = this.#layout(kind);
    const { header, exact, bytes } = layout;
    const frame = new Uint8Array(bytes);
    const head = [kinds.indexOf(kind), version, kind === 'steady' ? version - 1 : version, 0];
    if (header > 0) new Uint32Array(frame.buffer, 0, head.length).set(head);
    new Float32Array(frame.buffer, header, exact).set(payload.subarray(0, exact));
    encodeValues(layout, payload.subarray(exact), frame);
    return frame;
  }
}

/** What has changed, but for the exact part. */
function differences(payload: Float32Array, base: Float32Array, exact: number): Float32Array {
  const changes = payload.slice();
  for (let index = exact; index < changes.length; index++) changes[index]! -= base[index]!;
  return changes;
}

export class BorderReceiver {
  readonly #plan: PatchPlan;
  readonly #from: number;
  readonly #to: number;
  /** The message as it was put together last: exact part and, for residual wires, base. */
  readonly #payload: Float32Array;
  /** Version of the base. */
  #version: number | undefined;
  /** The newest version up to which none is missing. */
  #arrived: number;

  /** @param first The first version that will come. */
  constructor(plan: PatchPlan, from: number, to: number, first: number) {
    this.#plan = plan;
    this.#from = from;
    this.#to = to;
    const { exact, values } = wireLayoutOf(plan, from, to);
    this.#payload = new Float32Array(exact + values);
    this.#arrived = first - 1;
  }

  /**
   * Call it as messages arrive, before they are read.
   *
   * @returns Versions that were lost before this one and must be repaired: it builds on them.
   */
  missing(version: number): readonly number[] {
    if (!isResidual(this.#plan.wire)) return [];
    const lost: number[] = [];
    for (let other = this.#arrived + 1; other < version; other++) lost.push(other);
    this.#arrived = Math.max(this.#arrived, version);
    return lost;
  }

  /**
   * @returns The message as `packMessage` laid it out, but for rounding; valid until the next one is decoded.
   * @throws PcppError `E_SHAPE` if its size or header is not what the plan says, or its base is missing.
   */
  decode(message: Uint8Array, version: number): Float32Array {
    const frame = aligned(message);
    const kind = this.#kindOf(frame, version);
    const layout = wireLayoutOf(this.#plan, this.#from, this.#to, kind);
    if (frame.byteLength !== layout.bytes) {
      this.#refuse(`has ${frame.byteLength} bytes, the plan says ${layout.bytes}`);
    }
    const { header, exact } = layout;
    this.#payload.set(new Float32Array(frame.buffer, frame.byteOffset + header, exact));
    const isResidue = isResidual(this.#plan.wire) && kind === 'steady';
    decodeValues(layout, frame, this.#payload.subarray(exact), isResidue);
    this.#version = version;
    return this.#payload;
  }

  #kindOf(frame: Uint8Array, version: number): FrameKind {
    if (!isResidual(this.#plan.wire)) return 'steady';
    if (frame.byteLength < 16) this.#refuse(`has ${frame.byteLength} bytes and no header`);
    const [code, given, base] = new Uint32Array(frame.buffer, frame.byteOffset, 4);
    const kind = kinds[code!];
    if (!kind || given !== version) this.#refuse(`is not one of version ${version}`);
    if (kind === 'steady' && base !== this.#version) {
      this.#refuse(`builds on version ${base}, here is ${this.#version ?? 'none'}`);
    }
    return kind;
  }

  #refuse(what: string): never {
    const text = `the message from patch ${this.#from} to ${this.#to} ${what}`;
    throw new PcppError('E_SHAPE', text);
  }
}

/** Views of wider values need an offset that they divide. */
const aligned = (bytes: Uint8Array): Uint8Array =>
  bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);

/** A message that nothing is rounded in. */
export const exactBytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The values of such a message; how many there must be, the plan says. */
export function exactValues(message: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = aligned(message);
  return new Float32Array(buffer, byteOffset, Math.floor(byteLength / 4));
}
