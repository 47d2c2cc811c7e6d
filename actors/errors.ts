/** The one error class of the actors library. Codes are stable API: docs/errors.md. */

export type ActorsErrorCode =
  /** A version was dropped before it was taken: the reader is too slow, or asks for the past. */
  | 'E_VERSION_GONE'
  /** A grid cannot be split as asked. */
  | 'E_GEOMETRY'
  /** A patch was used before it was linked, or twice at once. */
  | 'E_PATCH_STATE'
  /** Every actor of a pool has died. */
  | 'E_NO_ACTOR'
  /** A result was asked for of a pool that owes none. */
  | 'E_POOL_STATE'
  /** A collective before `link()`, after one that failed, or while another rank is in a different one. */
  | 'E_GROUP_STATE'
  /** Arrays of the ranks of a collective differ in length or type. */
  | 'E_SHAPE'
  /** A supervisor has restarted its actor as often as it may, or was disposed of. */
  | 'E_GAVE_UP'
  /** An option is out of its range. */
  | 'E_OPTION'
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
