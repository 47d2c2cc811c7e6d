/**
 * msgpackr writes a Map as it writes a plain object, before it looks at extensions, and it would arrive as one. So the
 * rare value that holds a Map is copied first, each Map as its entries.
 */

import { types } from 'node:util';

export class MapEntries {
  readonly entries: readonly unknown[];

  constructor(entries: readonly unknown[]) {
    this.entries = entries;
  }
}

/** @param whole Things that are encoded as they are, although they are objects. */
export function withEntries(value: unknown, whole: (value: object) => boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const inner = (item: unknown): unknown => withEntries(item, whole);
  if (value instanceof Map) return new MapEntries([...value].map(inner));
  if (value instanceof Set) return new Set([...value].map(inner));
  if (Array.isArray(value)) return value.map(inner);
  if (whole(value) || types.isNativeError(value) || types.isDate(value) || types.isRegExp(value)) {
    return value;
  }
  if (types.isAnyArrayBuffer(value) || types.isPromise(value)) return value;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return inner(toJSON.call(value));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item)]));
}
