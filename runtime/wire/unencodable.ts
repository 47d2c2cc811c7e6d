/** Says in words which part of a value cannot cross the wire. */

/**
 * Path of the first function, symbol, promise or cycle, or undefined.
 *
 * @param whole Things that can cross although they are objects; not looked into.
 */
export function findUnencodable(
  value: unknown,
  whole: (value: object) => boolean,
  path = '',
  above: ReadonlySet<object> = new Set(),
): string | undefined {
  const name = path || 'the value';
  if (typeof value === 'function' || typeof value === 'symbol')
    return `${name} is a ${typeof value}`;
  if (typeof value !== 'object' || value === null || whole(value)) return undefined;
  if (value instanceof Promise) return `${name} is a promise`;
  if (above.has(value)) return `${name} refers back to what contains it`;
  const inside = new Set([...above, value]);
  for (const [step, item] of parts(value, path)) {
    const found = findUnencodable(item, whole, `${path}${step}`, inside);
    if (found) return found;
  }
  return undefined;
}

function parts(value: object, path: string): readonly (readonly [step: string, item: unknown])[] {
  if (Array.isArray(value)) return value.map((item, index) => [`[${index}]`, item]);
  if (value instanceof Set) return [...value].map((item, index) => [`[${index}]`, item]);
  if (value instanceof Map) {
    return [...value].map(([key, item]) => [`.get(${JSON.stringify(key)})`, item]);
  }
  return Object.entries(value).map(([key, item]) => [path ? `.${key}` : key, item]);
}
