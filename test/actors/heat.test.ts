import anyTest, { type TestFn } from 'ava';
import {
  largestDifference,
  simulateAlone,
  simulateOnCluster,
} from '../../examples/heat/simulate.js';
import { openCluster, type TestCluster } from '../helpers/processes.js';

const test = anyTest as TestFn;
let opened: TestCluster;

test.before(async () => {
  opened = await openCluster({ workers: 3, resources: { cpu: 2 }, prewarm: 2 });
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

// 19 rows are shared unevenly by 2 and by 3.
const plate = { rows: 19, width: 12 };

test.serial(
  'at age 0 any number of patches computes what one process does, to the last bit',
  async (t) => {
    const alone = simulateAlone(plate, 60);
    for (const patches of [1, 2, 3]) {
      const plan = { ...plate, patches, age: 0, steps: 60 };
      const { cells } = await simulateOnCluster(opened.cluster, plan);
      t.true(Buffer.from(cells.buffer).equals(Buffer.from(alone.buffer)), `${patches} patches`);
    }
  },
);

test.serial(
  'every step reports the borders it sent and read, and none older than it may be',
  async (t) => {
    for (const age of [0, 1]) {
      const steps = 20;
      const plan = { ...plate, patches: 3, age, steps };
      const { reports } = await simulateOnCluster(opened.cluster, plan);
      t.is(reports.length, 3 * steps);
      for (const { patch, step, bytesIn, bytesOut, age: read } of reports) {
        const neighbours = patch === 1 ? 2 : 1;
        t.deepEqual([bytesIn, bytesOut], Array(2).fill(neighbours * plate.width * 8));
        t.is(read, Math.min(step, age));
      }
      for (const patch of [0, 1, 2]) {
        const own = reports.filter((report) => report.patch === patch).map(({ step }) => step);
        t.deepEqual(own, [...Array(steps).keys()]);
      }
    }
  },
);

test.serial('with stale borders the plate goes to the same steady state', async (t) => {
  const difference = async (age: number, steps: number): Promise<number> => {
    const plan = { rows: 12, width: 8, patches: 3, age, steps };
    const { cells } = await simulateOnCluster(opened.cluster, plan);
    return largestDifference(cells, simulateAlone(plan, steps));
  };
  t.true((await difference(1, 10)) > 0.1);
  t.true((await difference(1, 600)) < 1e-6);
});

test.serial('a result depends on the age and not on timing, whatever the age', async (t) => {
  for (const age of [2, 4]) {
    const plan = { ...plate, patches: 3, age, steps: 40 };
    const [one, two] = [
      await simulateOnCluster(opened.cluster, plan),
      await simulateOnCluster(opened.cluster, plan),
    ];
    t.is(largestDifference(one.cells, two.cells), 0);
  }
});
