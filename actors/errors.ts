/** The one error class of the actors library. Codes are stable API: docs/errors.md. */

export type ActorsErrorCode =
  /** A version was dropped before it was taken: the reader is too slow, or asks for the past. */
  | 'E_VERSION_GONE'
  /** A grid cannot be split as asked. */
  | 'E_GEOMETRY'
  /** A patch was used before it was linked, or twice at once. */
  | 'E_PATCH_STATE'
  /** The reader gave up. */
  | 'E_ABORTED';

export class ActorsError extends Error {
  override readonly name = 'ActorsError';
  readonly code: ActorsErrorCode;

  constructor(code: ActorsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
