/** The one error class of pcpp. Codes are stable API and are explained in docs/errors.md. */

export type PcppErrorCode =
  /** A model directory or one of its files is missing or unreadable. */
  | 'E_MODEL_DIR'
  /** A configuration file of a model says something this version cannot do. */
  | 'E_MODEL_CONFIG'
  /** A graph cannot be split by rows: the text names node, operator, reason and remedy. */
  | 'E_GRAPH'
  /** Width or height is not divisible as the model needs. */
  | 'E_SIZE'
  /** More devices than the image has rows to share out, or an impossible split. */
  | 'E_PARTITION'
  /** An option is out of its range. */
  | 'E_OPTION'
  /** A tensor or message has not the shape the plan promises. */
  | 'E_SHAPE'
  /** ONNX Runtime could not open or run a graph. */
  | 'E_SESSION'
  /** The caller aborted the job. */
  | 'E_ABORTED';

export class PcppError extends Error {
  override readonly name = 'PcppError';
  readonly code: PcppErrorCode;

  constructor(code: PcppErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Also of an error that came from another process. */
export const hasCode = (error: unknown, code: PcppErrorCode): error is Error =>
  error instanceof Error && 'code' in error && error.code === code;
