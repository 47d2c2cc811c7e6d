/** Memory for frames: not zeroed first, since it is all written, and its own, so that it can be moved to a thread. */

export function newFrame(size: number): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, size);
}
