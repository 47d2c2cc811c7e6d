import test from 'ava';
import { ObjectRef } from '../../../runtime/object/object-ref.js';
import { ObjectTable } from '../../../runtime/object/object-table.js';
import { type Address, ObjectLocator } from '../../../runtime/wire/address.js';

const refOf = (id: string, value: unknown): ObjectRef<unknown> =>
  new ObjectRef({
    id,
    find: () => Promise.resolve(value),
    read: () => Promise.reject(new Error('it is not in a store')),
    locate: () => new ObjectLocator(id, {} as Address),
  });

test('a value is kept while its lease is renewed, and let go after', async (t) => {
  let now = 0;
  const table = new ObjectTable({ leaseMs: 100, clock: () => now });
  const ref = refOf('a', 1);
  table.keep(ref);
  now = 90;
  table.renew(['a', 'unknown']);
  now = 180;
  table.sweep();
  t.is(await table.find('a').value(), 1);
  now = 300;
  table.sweep();
  // The process itself still holds it.
  t.is(table.find('a'), ref);
});

test('a freed object is gone, and says why', (t) => {
  const table = new ObjectTable();
  table.keep(refOf('a', 1));
  table.free('a');
  t.throws(() => table.find('a'), { code: 'E_OBJECT_LOST', message: /object a is gone/ });
  t.is(table.size, 0);
});
