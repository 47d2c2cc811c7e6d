/**
 * What a restarted actor goes on from. After calls, at most once in a while, the actor's own `snapshot()` runs in its turn
 * between them, and what it returns is kept by the head; `restore(state)` gets it before the first call of the next life.
 */

import { messageOf, RuntimeError } from '../errors.js';
import type { ActorId } from '../ids.js';
import type { Message } from '../wire/messages.js';
import { encodeValue } from '../wire/value.js';
import { CallScope } from './call-scope.js';
import type { AnswerSink, Executor, Invoke } from './executor.js';
import type { ActorClass } from './instance.js';

/** Encoded; more is refused, for the head keeps it. */
export const maxSnapshotBytes: number = 16 * 2 ** 20;
/** Between two snapshots, unless the class says otherwise. */
const snapshotMs = 1_000;

export interface SnapshotsOptions {
  readonly label: string;
  readonly actor: ActorId;
  /** Runs `snapshot` in its turn. Undefined when the actor is gone. */
  readonly executor: () => Executor | undefined;
  readonly send: (state: Uint8Array) => void;
  /** @default 1_000 */
  readonly everyMs: number | undefined;
}

/** Whether instances can be snapshotted: both hooks or none. @throws RuntimeError `E_EXPORT` for one alone. */
export function hasSnapshots({ name, prototype }: ActorClass): boolean {
  const has = (hook: string): boolean =>
    typeof Reflect.get(prototype as object, hook) === 'function';
  if (has('snapshot') === has('restore')) return has('snapshot');
  const text = `${name} has only one of snapshot() and restore(state): write the other, or rename it`;
  throw new RuntimeError('E_EXPORT', text);
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #sink: AnswerSink = { send: (answer) => this.#taken(answer) };
  #timer: NodeJS.Timeout | undefined;
  #takenAt = Number.NEGATIVE_INFINITY;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** The same calls; each may have changed the actor. */
  watch(invoke: Invoke): Invoke {
    return (method, args, scope) => {
      const result = invoke(method, args, scope);
      const touched = (): void => this.#touched();
      if (method !== 'snapshot') Promise.resolve(result).then(touched, touched);
      return result;
    };
  }

  #touched(): void {
    if (this.#timer) return;
    const dueMs = this.#takenAt + (this.#options.everyMs ?? snapshotMs) - performance.now();
    // At once if it may: before the next call of whoever has just been answered.
    if (dueMs <= 0) {
      this.#take();
      return;
    }
    this.#timer = setTimeout(() => this.#take(), dueMs);
    this.#timer.unref();
  }

  #take(): void {
    this.#timer = undefined;
    this.#takenAt = performance.now();
    const { executor, actor } = this.#options;
    const call = { id: 0, actor, method: 'snapshot', args: [], stream: false } as const;
    executor()?.runInTurn(this.#sink, { kind: 'call', ...call });
  }

  #taken(answer: Message): void {
    if (answer.kind !== 'reply' && answer.kind !== 'error') return;
    const { label, send } = this.#options;
    try {
      if (answer.kind === 'error') throw new Error(answer.error.message);
      const state = encodeValue(answer.value);
      if (state.byteLength > maxSnapshotBytes) {
        throw new Error(`${state.byteLength} bytes are more than ${maxSnapshotBytes}`);
      }
      send(state);
    } catch (error) {
      console.error(`${label}.snapshot(): ${messageOf(error)}; the last good one is kept`);
    }
  }
}

/** @throws RuntimeError `E_ACTOR_START` with the hook's error as its cause. */
export async function restore(invoke: Invoke, state: unknown): Promise<void> {
  try {
    await invoke('restore', [state], new CallScope(false));
  } catch (cause) {
    throw new RuntimeError('E_ACTOR_START', `restore() fails: ${messageOf(cause)}`, { cause });
  }
}
