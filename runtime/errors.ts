/** The one error class of the runtime, and how errors cross the wire. Codes are stable API: docs/errors.md. */

export type RuntimeErrorCode =
  /** A frame, handshake or message does not follow the protocol, or the versions do not overlap. */
  | 'E_PROTOCOL'
  /** The token is missing or wrong. */
  | 'E_TOKEN'
  /** A certificate is missing, wrong or not believed, or only one side speaks TLS. */
  | 'E_TLS'
  /** Nothing answers at the address. */
  | 'E_UNREACHABLE'
  /** The address cannot be bound. */
  | 'E_LISTEN'
  /** The cluster, link or handle was closed on this side. */
  | 'E_CLOSED'
  /** The process at the other end of a link went away. */
  | 'E_PEER_LOST'
  /** No node can ever satisfy the request; the text lists the nearest misses. */
  | 'E_NO_ROOM'
  /** An actor of that name lives already. */
  | 'E_NAME_TAKEN'
  /** No living actor has that name. */
  | 'E_NAME_UNKNOWN'
  /** The head knows no job of that id, or no longer. */
  | 'E_JOB_UNKNOWN'
  /** The job has ended already, or has not ended yet. */
  | 'E_JOB_STATE'
  /** The actor is dead: the text gives exit code, signal and the last lines of stderr. */
  | 'E_ACTOR_DEAD'
  /** The actor's process held more memory than it was given, or the machine ran short of it. */
  | 'E_OUT_OF_MEMORY'
  /** The actor's module or constructor failed. */
  | 'E_ACTOR_START'
  /** The module has no such export, or it is not a class. */
  | 'E_EXPORT'
  /** The actor has no such method. */
  | 'E_METHOD'
  /** A module could not be bundled, or a bundle is unknown or damaged. */
  | 'E_BUNDLE'
  /** A node lacks a package that the bundle needs. */
  | 'E_EXTERNAL'
  /** A value cannot cross the wire; the text names its path. */
  | 'E_ENCODE'
  /** The actor has as many calls waiting as it may. */
  | 'E_MAILBOX_FULL'
  /** The value of an object is not to be had any more: its owner or its store is gone, or it was freed. */
  | 'E_OBJECT_LOST'
  /** An object does not fit into the store, nor on its disk. */
  | 'E_STORE_FULL'
  /** A deadline passed. */
  | 'E_TIMEOUT'
  /** The caller aborted. */
  | 'E_ABORTED'
  /** An option is out of its range. */
  | 'E_OPTION'
  /** What a head has kept for the next one is damaged, in use, or cannot be written. */
  | 'E_JOURNAL'
  /** Too much is queued for a peer that does not read. */
  | 'E_BACKPRESSURE';

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * This process has no link to another any more. Never an answer: what another process reports of *its* links arrives as a
 * plain RuntimeError, whatever its code.
 */
export class LinkLostError extends RuntimeError {}

/** The very actor that was called is gone, as opposed to one that it had called itself. */
export class ActorLostError extends RuntimeError {
  /** It has begun anew and can be called again; only what was under way is lost. */
  readonly isRestarted: boolean;

  constructor(
    code: RuntimeErrorCode,
    message: string,
    { isRestarted = false, ...options }: ErrorOptions & { readonly isRestarted?: boolean } = {},
  ) {
    super(code, message, options);
    this.isRestarted = isRestarted;
  }
}

/** An error as data. It never carries a class: match errors by `name` and `code`. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: WireError;
}

/** An error that a remote actor threw, with its own name, code, stack and cause chain. */
export class RemoteError extends Error {
  readonly code: string | undefined;

  constructor(error: WireError) {
    super(error.message, error.cause ? { cause: fromWireError(error.cause) } : undefined);
    this.name = error.name;
    this.code = error.code;
    if (error.stack) this.stack = error.stack;
  }
}

const maxCauses = 8;

export function toWireError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.stack ? { stack: error.stack } : {}),
    ...(error.cause !== undefined && depth < maxCauses
      ? { cause: toWireError(error.cause, depth + 1) }
      : {}),
  };
}

export function fromWireError(error: WireError): Error {
  if (error.name !== 'RuntimeError') return new RemoteError(error);
  const options = error.cause ? { cause: fromWireError(error.cause) } : undefined;
  const local = new RuntimeError(error.code as RuntimeErrorCode, error.message, options);
  if (error.stack) local.stack = error.stack;
  return local;
}

export const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);
