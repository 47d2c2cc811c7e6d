/**
 * What a journal asks of a Redis or Valkey server. Each script is one step for all who are connected, and each but `take` and `read` does
 * something only for whoever has the lock: a head that was thought dead can do no harm when it wakes up.
 *
 * KEYS: the rows, a hash; the owner, a string that expires.
 */

/**
 * ARGV: me, how long I have it, an owner that I know to be dead, whether to forget the rows. Returns the owner and for how long it has
 * the lock, if that is another.
 */
export const take: string = `
  local owner = redis.call('GET', KEYS[2])
  if owner and owner ~= ARGV[3] then return {owner, redis.call('PTTL', KEYS[2])} end
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
  if ARGV[4] == 'fresh' then redis.call('DEL', KEYS[1]) end
  return false`;

/** Returns keys and values by turns. */
export const read: string = `return redis.call('HGETALL', KEYS[1])`;

const ifMine = `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end`;

/** ARGV: me, how long I have it from now on, how many arguments are keys and values, these, keys to be removed. Lua unpacks some thousands. */
export const write: string = `
  ${ifMine}
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  local last = 3 + tonumber(ARGV[3])
  for at = 4, last, 1000 do
    redis.call('HSET', KEYS[1], unpack(ARGV, at, math.min(at + 999, last)))
  end
  for at = last + 1, #ARGV, 1000 do
    redis.call('HDEL', KEYS[1], unpack(ARGV, at, math.min(at + 999, #ARGV)))
  end
  return 1`;

/** ARGV: me. */
export const release: string = `
  ${ifMine}
  redis.call('DEL', KEYS[2])
  return 1`;

/** ARGV: me. */
export const remove: string = `
  ${ifMine}
  redis.call('DEL', KEYS[1], KEYS[2])
  return 1`;
