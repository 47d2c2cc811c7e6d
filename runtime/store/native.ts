/** The functions of the C library that shared memory needs, by koffi, and one of V8. */

import { createRequire } from 'node:module';
import { messageOf } from '../errors.js';

export interface Native {
  readonly koffi: typeof import('koffi');
  readonly mmap: (
    at: null,
    bytes: number,
    prot: number,
    flags: number,
    fd: number,
    from: number,
  ) => bigint;
  readonly memcpy: (to: bigint, from: Uint8Array, bytes: number) => unknown;
  readonly munmap: (at: bigint, bytes: number) => number;
  readonly fallocate: (fd: number, mode: number, offset: number, bytes: number) => number;
  readonly flock: (fd: number, operation: number) => number;
  /** Corrects what V8 takes for this process's own memory, by so many bytes; undefined where that cannot be done. */
  readonly count: ((bytes: number) => void) | undefined;
  readonly populate: (at: bigint, bytes: number, done: () => void) => void;
}

const populateWrite = 23;

let loaded: Native | string | undefined;

/** The functions of the C library, or in words why there are none. */
export function native(): Native | string {
  if (process.env['PATCHBAY_SHARED_MEMORY'] === 'off') return 'PATCHBAY_SHARED_MEMORY is off';
  loaded ??= load();
  return loaded;
}

function load(): Native | string {
  if (process.platform !== 'linux')
    return `shared memory is used on Linux, not on ${process.platform}`;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    const madvise = libc.func('int madvise(void *at, size_t bytes, int advice)');
    return {
      koffi,
      mmap: libc.func(
        'void *mmap(void *at, size_t bytes, int prot, int flags, int fd, int64_t from)',
      ) as Native['mmap'],
      memcpy: libc.func(
        'void *memcpy(void *to, const void *from, size_t bytes)',
      ) as Native['memcpy'],
      munmap: libc.func('int munmap(void *at, size_t bytes)') as Native['munmap'],
      fallocate: libc.func(
        'int fallocate(int fd, int mode, int64_t from, int64_t bytes)',
      ) as Native['fallocate'],
      flock: libc.func('int flock(int fd, int operation)') as Native['flock'],
      count: counter(koffi),
      // Kernels before 5.14 do not know it: then the first to write pays.
      populate: (at, bytes, done) => madvise.async(at, bytes, populateWrite, done),
    };
  } catch (error) {
    return `koffi does not load: ${messageOf(error)}`;
  }
}

/** Node exports V8's own functions, by the names that C++ gives them; where they are missing, garbage is looked for more often. */
function counter(koffi: Native['koffi']): Native['count'] {
  try {
    const node = koffi.load(null);
    const isolate = node.func('void *_ZN2v87Isolate10GetCurrentEv()')() as bigint;
    const adjust = node.func(
      'int64_t _ZN2v87Isolate37AdjustAmountOfExternalAllocatedMemoryEl(void *isolate, int64_t bytes)',
    );
    return (bytes) => adjust(isolate, Math.round(bytes));
  } catch {
    return undefined;
  }
}
