import test from 'ava';
import { openCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

type Talkers = typeof import('../../fixtures/actors/talker.js');
const talkers = new URL('../../fixtures/actors/talker.js', import.meta.url);

/** Samples by name and labels: `patchbay_actors{phase="alive"}`. */
function samples(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test.serial('GET /metrics tells what the cluster does, to those who have the token', async (t) => {
  await using opened = await openCluster({
    workers: 2,
    resources: { cpu: 2, disk: 3 },
    logToDriver: false,
  });
  const { address, token } = opened.local;
  const url = address.replace('ws:', 'http:');
  const get = (path: string, secret?: string): Promise<Response> =>
    fetch(`${url}${path}`, secret ? { headers: { authorization: `Bearer ${secret}` } } : {});
  const scrape = async (): Promise<ReadonlyMap<string, number>> =>
    samples(await (await get('/metrics', token)).text());

  for (const secret of [undefined, 'guess']) {
    const refused = await get('/metrics', secret);
    t.is(refused.status, 401);
    t.notRegex(await refused.text(), /patchbay_/);
  }
  t.is((await get('/elsewhere', token)).status, 404);
  const answer = await get('/metrics', token);
  t.is(answer.status, 200);
  t.regex(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  t.regex(await answer.text(), /# TYPE patchbay_placements_total counter/);

  const lib = await opened.cluster.load<Talkers>(talkers);
  const noisy = await lib.Talker.create({ resources: { cpu: 1, disk: 2 } });
  const dying = await lib.Talker.create();
  await t.throwsAsync(dying.die());
  await lib.say('from a task');
  const large = lib.fill(200_000);
  await large.settled();
  await noisy.flood(50_000);
  const stop = new AbortController();
  const tooMuch = lib.Talker.create({ resources: { disk: 3 }, signal: stop.signal });
  const other = lib.Talker.create({ resources: { disk: 3 }, signal: stop.signal });
  const dropped = (found: ReadonlyMap<string, number>): number =>
    [0, 1].reduce(
      (sum, node) =>
        sum + (found.get(`patchbay_log_lines_dropped_total{node="node-${node}"}`) ?? 0),
      0,
    );
  let found = await scrape();
  await until('agents have told', async () => {
    found = await scrape();
    const tasks = [0, 1].map((node) =>
      found.get(`patchbay_tasks_total{node="node-${node}",outcome="finished"}`),
    );
    return dropped(found) > 0 && tasks.includes(2);
  });
  const inStores = (what: string, where: string): number =>
    [0, 1].reduce(
      (sum, node) =>
        sum + found.get(`patchbay_store_${what}{node="node-${node}",where="${where}"}`)!,
      0,
    );
  t.is(inStores('objects', 'memory'), 1);
  t.true(inStores('bytes', 'memory') >= 200_000);
  t.is(inStores('objects', 'disk') + inStores('bytes', 'disk'), 0);
  t.is(found.get('patchbay_nodes'), 2);
  t.is(found.get('patchbay_actors{phase="pending"}'), 1);
  t.is(found.get('patchbay_pending'), 1);
  t.is(found.get('patchbay_resource_total{resource="disk"}'), 6);
  t.is(found.get('patchbay_resource_free{resource="disk"}'), 1);
  t.is(found.get('patchbay_groups{phase="ready"}'), 0);
  t.is(found.get('patchbay_placements_total'), 4);
  t.true(found.get('patchbay_deaths_total')! >= 1);
  t.true(found.get('patchbay_link_messages_total{direction="in"}')! > 10);
  t.true(found.get('patchbay_link_bytes_total{direction="in"}')! > 1_000);
  t.true(found.get('patchbay_head_event_loop_lag_seconds{quantile="1"}')! >= 0);
  for (const node of ['node-0', 'node-1']) {
    t.true(found.get(`patchbay_host_rss_bytes{node="${node}"}`)! > 10 * 2 ** 20);
    t.true(found.get(`patchbay_host_cpu_seconds_total{node="${node}"}`)! > 0);
    t.is(found.get(`patchbay_latest_dropped_total{node="${node}"}`), 0);
  }
  stop.abort();
  await t.throwsAsync(Promise.all([tooMuch, other]), { code: 'E_ABORTED' });
});

test.serial('what is gone is counted no longer, but what it did is', async (t) => {
  await using opened = await openCluster({ workers: 2, resources: { cpu: 1 }, logToDriver: false });
  const { address, token } = opened.local;
  const headers = { authorization: `Bearer ${token}` };
  const scrape = async (): Promise<ReadonlyMap<string, number>> =>
    samples(await (await fetch(`${address.replace('ws:', 'http:')}/metrics`, { headers })).text());
  const lib = await opened.cluster.load<Talkers>(talkers);
  const both = [await lib.Talker.create(), await lib.Talker.create()];
  for (const talker of both) await talker.say('here');
  await until('both have told', async () =>
    (await scrape()).has('patchbay_host_rss_bytes{node="node-1"}'),
  );
  const bytes = (await scrape()).get('patchbay_link_bytes_total{direction="in"}')!;
  opened.pids();
  process.kill(opened.agents[1]!, 'SIGKILL');
  await until('its node is lost', async () => (await scrape()).get('patchbay_nodes') === 1);
  const found = await scrape();
  t.false(found.has('patchbay_host_rss_bytes{node="node-1"}'));
  t.is(found.get('patchbay_actors{phase="alive"}'), 1);
  t.is(found.get('patchbay_deaths_total'), 1);
  t.true(found.get('patchbay_link_bytes_total{direction="in"}')! >= bytes);
});
