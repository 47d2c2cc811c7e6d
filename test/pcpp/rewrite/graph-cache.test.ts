import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { compilePatchGraph, type PatchGraphShape } from '../../../pcpp/rewrite/compile.js';
import {
  openPatchGraph,
  readPatchGraph,
  writePatchGraph,
} from '../../../pcpp/rewrite/graph-cache.js';
import { goldenPath } from '../../helpers/golden.js';
import { tempFolder } from '../../helpers/temp-folder.js';

const shape: PatchGraphShape = { height: 16, width: 16, batch: 2, payload: 'hidden' };
const unet = goldenPath('models/tiny-sd15/unet/model.onnx');

function unetCopy(source = unet): string {
  const folder = tempFolder('graphs');
  const file = join(folder, 'model.onnx');
  copyFileSync(source, file);
  return file;
}

test('a graph that was written is read again, and used instead of compiling', async (t) => {
  const file = unetCopy();
  t.is(await readPatchGraph(file, shape), undefined);
  const graph = await compilePatchGraph(file, shape);
  await writePatchGraph(file, shape, { ...graph, output: 'of the one on disk' });
  const found = await openPatchGraph(file, { ...shape, height: 64 });
  t.is(found.output, 'of the one on disk');
  t.deepEqual(found.sites, graph.sites);
  t.deepEqual(new Uint8Array(found.bytes), new Uint8Array(graph.bytes));
});

test('other widths, batches, payloads and models have graphs of their own', async (t) => {
  const file = unetCopy();
  await writePatchGraph(file, shape, await compilePatchGraph(file, shape));
  for (const other of [{ width: 24 }, { batch: 1 }, { payload: 'kv' as const }]) {
    t.is(await readPatchGraph(file, { ...shape, ...other }), undefined);
  }
  copyFileSync(goldenPath('models/variants/tiny-sd15-unet-dynamo-opset18/model.onnx'), file);
  t.is(await readPatchGraph(file, shape), undefined);
});

test('a damaged graph is as good as none', async (t) => {
  const file = unetCopy();
  const graph = await compilePatchGraph(file, shape);
  const written = await writePatchGraph(file, shape, graph);
  const bytes = readFileSync(written);
  const text = written.replace(/onnx$/, 'json');
  const json = readFileSync(text);
  const damages: readonly [string, string | Uint8Array][] = [
    [written, bytes.subarray(0, bytes.length - 1)],
    [written, Buffer.concat([bytes, Buffer.of(0)])],
    [text, json.subarray(0, 100)],
    [text, `${json}`.replace('"kernel":3', '"kernel":5')],
    [text, `${json}`.replace('"sample":"sample"', '"sample":"simple"')],
    [text, '{"hash": 3}'],
    [text, ''],
  ];
  for (const [path, content] of damages) {
    t.notDeepEqual(Buffer.from(content), readFileSync(path));
    writeFileSync(path, content);
    t.is(await readPatchGraph(file, shape), undefined);
    writeFileSync(written, bytes);
    writeFileSync(text, json);
  }
  t.truthy(await readPatchGraph(file, shape));
  writeFileSync(text, '');
  t.is((await openPatchGraph(file, shape)).output, graph.output);
});

test('weights in other files stay there, and nothing unfinished is left', async (t) => {
  const source = goldenPath('models/variants/tiny-sdxl-unet-dynamo-opset23-extdata/model.onnx');
  const file = unetCopy(source);
  copyFileSync(`${source}_data`, `${file}_data`);
  const written = await writePatchGraph(file, shape, await compilePatchGraph(file, shape));
  const found = await readPatchGraph(file, shape);
  t.is(found?.externalDataFolder, dirname(file));
  t.deepEqual(
    readdirSync(dirname(written)).map((name) => name.replace(/^.*\./, '')),
    ['json', 'onnx'],
  );
});

test('a model folder that cannot be written, and a model that is not there, are named', async (t) => {
  const file = unetCopy();
  const graph = await compilePatchGraph(file, shape);
  writeFileSync(join(dirname(file), 'patch-graphs'), 'a file in the way');
  await t.throwsAsync(writePatchGraph(file, shape, graph), {
    code: 'E_MODEL_DIR',
    message: /cannot write/,
  });
  await t.throwsAsync(openPatchGraph('/nope/model.onnx', shape), { code: 'E_MODEL_DIR' });
});
