import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Terminal } from '../../helpers/command.js';

const scenes = fileURLToPath(new URL('../../../../examples/models/scenes', import.meta.url));
const common = ['--model', scenes, '--size', '512x512', '--steps', '50'];

test.serial('simulate prints seconds and speed-up for each number of devices', async (t) => {
  await using terminal = new Terminal();
  const args = [...common, '--devices', '1,2,16', '--step-ms', '900', '--rate', '25Gbit'];
  const { code, stdout, stderr } = await terminal.run('simulate', ...args, '--latency', '50us');
  t.is(code, 0, stderr);
  t.regex(stdout, /50 steps, 3 of them warm-up, 2 cool-down; one device 900 ms a step/);
  t.regex(stdout, /link 25\.00 Gbit\/s, 0\.05 ms/);
  t.regex(stdout, /^1 +45\.00 s, 1\.00x/m);
  // 5 whole steps of 0.9 s and 45 of 0.9 (0.1 + 0.9 / 2) s, 26.78 s, and next to nothing for bytes.
  t.regex(stdout, /^2 +26\.7\d s, 1\.68x/m);
  // 50 steps of 0.9 (0.1 + 0.9 / 2) s, in two groups of one device.
  t.regex(stdout, /^2 .*m? +24\.7\d s, 1\.82x/m);
  // In turns, two runs with one entry each, of half the rows: 0.9 (0.1 + 0.9 / 2) (0.55 / 1) a run.
  t.regex(stdout, /^2 .*m? +29\.4\d s, 1\.53x/m);
  t.regex(stdout, /^16 +too many devices/m);
});

test.serial('without a step time this machine is measured', async (t) => {
  await using terminal = new Terminal();
  const small = ['--model', scenes, '--size', '128x128', '--devices', '1,2'];
  const { code, stdout, stderr } = await terminal.run('simulate', ...small);
  t.is(code, 0, stderr);
  t.regex(stdout, /one device \d+(\.\d+)? ms a step/);
  t.regex(stdout, /^2 +\d+\.\d\d s/m);
});

test.serial('a batch that no image has cannot be measured', async (t) => {
  await using terminal = new Terminal();
  const { code, stderr } = await terminal.run('simulate', '--model', scenes, '--batch', '3');
  t.is(code, 1);
  t.regex(stderr, /E_OPTION: batch 3 is not measured here, only 1 and 2: give --step-ms/);
});

for (const [name, code, text, ...args] of [
  ['a rate without a unit', 2, /such as 25Gbit/, '--rate', '25'],
  ['a latency without a unit', 2, /such as 50us/, '--latency', '50'],
  ['a step that takes no time', 2, /Expected a number above 0/, '--step-ms', '0'],
  ['an age of 3', 1, /E_OPTION: border age must be 1 or 2/, '--border-age', '3'],
  ['half a step', 2, /Expected a whole number/, '--steps', '2.5'],
  ['half a step of warm-up', 2, /Expected a whole number/, '--warmup', '0.5'],
  ['half a batch', 2, /Expected a whole number/, '--batch', '1.5'],
  ['no devices', 2, /Expected whole numbers/, '--devices', '0'],
] as const) {
  test.serial(`simulate refuses ${name}`, async (t) => {
    await using terminal = new Terminal();
    const outcome = await terminal.run('simulate', ...common, ...args);
    t.is(outcome.code, code, outcome.stderr);
    t.regex(outcome.stderr, text);
  });
}
