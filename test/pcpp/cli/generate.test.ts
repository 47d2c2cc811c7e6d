import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { decodePng } from '../../../pcpp/image/png.js';
import { Terminal } from '../../helpers/command.js';
import { descendantsOf, isAlive } from '../../helpers/descendants.js';
import { until } from '../../helpers/until.js';

test.serial('without an address a cluster lives for one picture', async (t) => {
  await using terminal = new Terminal();
  const small = ['--size', '128x128', '--steps', '3', '--warmup', '1'];
  const file = ['--preview-every', '1', '-o', 'new/alps.png'];
  const command = terminal.start('generate', 'alps, a lake', ...small, ...file);
  const { code, stdout, stderr } = await command.outcome;
  t.is(code, 0, stderr);
  t.regex(stdout, /pcpp on 2 devices/);
  // The preview is gone, because the picture is there.
  t.deepEqual(readdirSync(join(terminal.folder, 'new')), ['alps.png']);
});

test.serial('--mode auto says in one line what it chose and why', async (t) => {
  await using terminal = new Terminal();
  const small = ['--size', '128x128', '--steps', '3', '--mode', 'auto'];
  const { code, stdout, stderr } = await terminal.run('generate', 'alps, a lake', ...small);
  t.is(code, 0, stderr);
  t.regex(
    stdout,
    /^auto: (one device is (as fast|faster)|guidance on two devices|pcpp on 2 devices.*): \d+\.\d\d s forecast; /m,
  );
  t.true(existsSync(join(terminal.folder, 'patchbay.png')));
});

test.serial(
  'what several devices do, and by which shares, is said and kept in the picture',
  async (t) => {
    await using terminal = new Terminal();
    const small = [
      '--size',
      '64x256',
      '--steps',
      '3',
      '--warmup',
      '1',
      '--border-deadline',
      '60000',
    ];
    const shares = await terminal.run('generate', 'alps', ...small, '--row-shares', '3,1');
    t.is(shares.code, 0, shares.stderr);
    const { text } = decodePng(readFileSync(join(terminal.folder, 'patchbay.png')));
    t.deepEqual(JSON.parse(text['Settings']!).rowShares, [24, 8]);
    const groups = await terminal.run('generate', 'alps', ...small.slice(0, 4), '--cfg-parallel');
    t.is(groups.code, 0, groups.stderr);
    t.regex(groups.stdout, /pcpp on 2 devices in two groups, .*\nborders and guidance: \d/);
  },
);

test.serial('an interrupt cancels the job and leaves no process', async (t) => {
  await using terminal = new Terminal();
  const command = terminal.start('generate', 'alps', '--steps', '1000', '--size', '128x128');
  await command.printed(/\d+ ms\/step/);
  const processes = descendantsOf(command.pid);
  t.true(processes.length >= 5);
  command.kill('SIGINT');
  const { code, stderr } = await command.outcome;
  t.is(code, 1);
  t.regex(stderr, /E_ABORTED/);
  await until('all processes are gone', () => processes.every((pid) => !isAlive(pid)));
  t.false(existsSync(join(terminal.folder, 'patchbay.png')));
});

const refusals: readonly [name: string, code: number, text: RegExp, ...args: readonly string[]][] =
  [
    [
      'an unknown model directory',
      1,
      /E_MODEL_DIR: there is no model directory \/nope/,
      '--model',
      '/nope',
    ],
    ['a size that cannot be divided', 1, /E_SIZE: .* nearest: 128x128/, '--size', '130x128'],
    ['a size that is none', 2, /Expected WIDTHxHEIGHT/, '--size', 'big'],
    [
      'a border fraction out of range',
      1,
      /E_OPTION: borderFraction must be a number in 0\.\.1/,
      '--border',
      '1.5',
    ],
    ['more devices than rows', 1, /E_PARTITION: 2 patches/, '--size', '64x64'],
    ['no devices', 1, /E_OPTION: devices must be a whole number from 1/, '--devices', '0'],
    [
      'an unknown mode',
      2,
      /Allowed choices are single, sync, distrifusion, pcpp, auto/,
      '--mode',
      'magic',
    ],
    ['an unknown sampler', 2, /Allowed choices are ddim/, '--sampler', 'magic'],
    ['a sampler that does not fit the model', 1, /E_/, '--sampler', 'ddim'],
    ['a file that cannot be written', 1, /E_OPTION: cannot write/, '-o', '/proc/nothing.png'],
  ];

for (const [name, code, text, ...args] of refusals) {
  test.serial(`generate refuses ${name}`, async (t) => {
    await using terminal = new Terminal();
    const outcome = await terminal.run('generate', 'a lake', ...args);
    t.is(outcome.code, code, outcome.stderr);
    t.regex(outcome.stderr, text);
  });
}
