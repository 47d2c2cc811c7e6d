/** The dashboard over real HTTP, and its page with as much of a browser as it uses. */

import { createHash } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import { type DashboardAnswer, openDashboard } from '../../../runtime/dashboard/page-script.js';
import type { FakeElement } from '../../helpers/fake-browser.js';
import { FakeBrowser } from '../../helpers/fake-browser.js';
import { openCluster, type TestCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

type Stored = typeof import('../../fixtures/actors/stored.js');
const stored = new URL('../../fixtures/actors/stored.js', import.meta.url);
const evil = '<script>alert(1)</script>';

interface Context {
  readonly opened: TestCluster;
  readonly base: string;
}
const test = anyTest as TestFn<Context>;

test.serial.before(async (t) => {
  const opened = await openCluster({ workers: 1, logToDriver: false });
  t.context = { opened, base: opened.local.address.replace('ws:', 'http:') };
});

test.serial.after.always(async (t) => {
  await t.context.opened[Symbol.asyncDispose]();
});

const sectionOf = (browser: FakeBrowser, title: string): FakeElement | undefined =>
  browser.element('tables').children.find((section) => section.texts('h2')[0] === title);

test.serial(
  'the page is for everybody, says nothing of the cluster, and can load nothing',
  async (t) => {
    const { base, opened } = t.context;
    const answer = await fetch(`${base}/`);
    t.is(answer.status, 200);
    t.is(answer.headers.get('content-type'), 'text/html; charset=utf-8');
    const page = await answer.text();
    t.false(page.includes(opened.local.token) || page.includes('node-0'));
    t.notRegex(page, /https?:\/\/|\ssrc=|@import|import /);
    const policy = answer.headers.get('content-security-policy') ?? '';
    for (const [part, tag] of [
      ['script-src', 'script'],
      ['style-src', 'style'],
    ]) {
      const [, inline] = new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`).exec(page)!;
      const hash = createHash('sha256').update(inline!).digest('base64');
      t.true(policy.includes(`${part} 'sha256-${hash}'`), policy);
      // There is no other.
      t.is(page.split(`</${tag}>`).length, 2);
    }
    t.regex(policy, /default-src 'none'.*connect-src 'self'.*frame-ancestors 'none'/);
    t.notRegex(policy, /unsafe|\*/);
    t.is((await fetch(`${base}/`, { method: 'HEAD' })).status, 200);
    // All else is for those who show the token.
    t.is((await fetch(`${base}/`, { method: 'POST' })).status, 401);
    t.is((await fetch(`${base}/index.html`)).status, 401);
  },
);

test.serial(
  'what the page shows is for those who show the token, and for no other page',
  async (t) => {
    const { base, opened } = t.context;
    const ask = (options: {
      method?: string;
      headers?: Record<string, string>;
    }): Promise<Response> => fetch(`${base}/api/dashboard`, options);
    const authorization = `Bearer ${opened.local.token}`;
    t.is((await ask({})).status, 401);
    t.is((await ask({ headers: { authorization: 'Bearer guess' } })).status, 401);
    t.is((await fetch(`${base}/api/dashboard?token=${opened.local.token}`)).status, 401);
    t.is((await ask({ headers: { authorization, origin: 'http://other' } })).status, 403);
    t.is((await ask({ method: 'POST', headers: { authorization } })).status, 405);
    const answer = await ask({ headers: { authorization } });
    t.is(answer.headers.get('content-type'), 'application/json');
    const { tables } = (await answer.json()) as DashboardAnswer;
    t.deepEqual(
      tables.map(({ title }) => title),
      ['Nodes', 'Actors', 'Tasks', 'Functions', 'Jobs', 'Placement groups', 'Objects'],
    );
  },
);

test.serial(
  'the page asks for the token, keeps it in the tab, and shows all as text',
  async (t) => {
    const { base, opened } = t.context;
    const { cluster } = opened;
    const lib = await cluster.load<Stored>(stored);
    const actor = await lib.Reader.create({ name: evil, resources: { cpu: 1 } });
    await lib.ramp(100_000).settled();
    await cluster.group([{ cpu: 0.5 }]);
    await cluster.jobs.submit({ command: `echo '${evil}'`, id: 'job-x' });

    const browser = new FakeBrowser(base);
    openDashboard(browser);
    const [form, input, state, tables] = ['ask', 'token', 'state', 'tables'].map((id) =>
      browser.element(id),
    ) as [FakeElement, FakeElement, FakeElement, FakeElement];
    t.deepEqual([form.hidden, tables.hidden, browser.paths], [false, true, []]);
    const give = (token: string): void => {
      input.value = token;
      form.happen('submit');
    };
    give('no token at all');
    t.is(state.textContent, 'That is no token.');
    give('guess');
    await until('it is refused', () => !form.hidden);
    t.is(state.textContent, 'The head does not know this token.');
    t.deepEqual([...browser.items], []);

    give(` ${opened.local.token} `);
    await browser.rests();
    t.deepEqual([form.hidden, tables.hidden, input.value], [true, false, '']);
    t.deepEqual([...browser.items], [['patchbay-token', opened.local.token]]);
    t.regex(state.textContent ?? '', /^as of \d\d:\d\d:\d\d UTC$/);
    // Agents tell about once a second what has run.
    await until('everything is there', async () => {
      await browser.looksAgain();
      return (
        tables.texts('td').some((text) => text === 'ramp') &&
        sectionOf(browser, 'Functions')!.children.length > 1
      );
    });
    const cells = (title: string): readonly string[] => sectionOf(browser, title)!.texts('td');
    t.true(cells('Nodes').includes('node-0'));
    t.true(cells('Actors').includes(`Reader "${evil}"`));
    t.true(cells('Jobs').includes(`echo '${evil}'`));
    t.true(cells('Objects').includes('node-0'));
    t.is(cells('Placement groups')[1], 'pack');
    t.deepEqual(tables.texts('script'), []);
    t.true(browser.paths.every((path) => path === '/api/dashboard'));

    // What has not changed keeps its element, and with it what is selected.
    const group = sectionOf(browser, 'Placement groups');
    await actor.kill();
    await until('the death is shown', async () => {
      await browser.looksAgain();
      return cells('Actors').includes('dead');
    });
    t.is(sectionOf(browser, 'Placement groups'), group);
  },
);

test.serial('a token in the fragment is taken out of the address', async (t) => {
  const { base, opened } = t.context;
  const browser = new FakeBrowser(base, `#token=${opened.local.token}`);
  openDashboard(browser);
  await browser.rests();
  t.deepEqual(browser.urls, ['/']);
  t.true(browser.element('ask').hidden);
  t.is(sectionOf(browser, 'Nodes')!.texts('td')[0], 'node-0');
  t.is(sectionOf(browser, 'Nodes')!.texts('meter').length, 1);
});

test.serial('a head that does not answer is asked on', async (t) => {
  const browser = new FakeBrowser('http://127.0.0.1:9', `#token=x`);
  openDashboard(browser);
  await browser.rests();
  t.regex(browser.element('state').textContent ?? '', /^No answer: /);
  await browser.looksAgain();
  t.is(browser.paths.length, 2);
});
