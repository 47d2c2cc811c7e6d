import test from 'ava';
import { newActorId, newGroupId, newNodeId, newProcessId } from '../../runtime/ids.js';

test('an id is never taken for an option on a command line', (t) => {
  const makers: readonly (() => string)[] = [newActorId, newGroupId, newNodeId, newProcessId];
  for (const make of makers) {
    const ids = new Set(Array.from({ length: 2_000 }, make));
    t.is(ids.size, 2_000);
    for (const id of ids) if (!/^[0-9A-Za-z]{12}$/.test(id)) t.fail(id);
  }
});
