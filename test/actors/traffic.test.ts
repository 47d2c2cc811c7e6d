import test from 'ava';
import { runPatches, type StepReport } from '../../actors/index.js';
import { BareHeat } from '../fixtures/actors/heat-probe.js';
import { LocalHost } from '../helpers/local-host.js';

test('the bytes reported are those that went over the links', async (t) => {
  const plate = { rows: 9, width: 16 };
  const driver = new LocalHost();
  const hosts = [new LocalHost(), new LocalHost(), new LocalHost()];
  const patches = await Promise.all(
    hosts.map((host, patch) => {
      const bounds = [3 * patch, 3 * patch + 3] as const;
      const settings = { patch, patches: 3, age: 1 };
      return host.actor(BareHeat, [settings, plate, bounds] as never, driver);
    }),
  );
  await Promise.all(patches.map((patch) => patch.link(patches)));
  const reports: StepReport[] = [];
  for await (const report of runPatches(patches, 0, 25)) reports.push(report);
  for (const [patch, host] of hosts.entries()) {
    const own = reports.filter((report) => report.patch === patch);
    const reported = own.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
    t.is(host.traffic.latestPayloadBytes, reported);
    t.is(host.traffic.latestMessages, 25 * (patch === 1 ? 2 : 1));
    t.is(host.traffic.latestDropped, 0);
  }
  await Promise.all([driver, ...hosts].map((host) => host[Symbol.asyncDispose]()));
});
