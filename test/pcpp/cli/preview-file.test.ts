import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { enlarged, PreviewFile, previewPath } from '../../../pcpp/cli/preview-file.js';
import { prepare } from '../../../pcpp/engine/generation-settings.js';
import { imageForecast } from '../../../pcpp/engine/image-forecast.js';
import { decodePng } from '../../../pcpp/image/png.js';
import { ModelDirectory } from '../../../pcpp/model/directory.js';
import { scenesPath } from '../../helpers/golden.js';
import { tempFolder } from '../../helpers/temp-folder.js';

test('a preview lies beside its picture', (t) => {
  t.is(previewPath('/there/a.boat-1.png'), '/there/a.boat-1.preview.png');
  t.is(previewPath('/the.re/boat'), '/the.re/boat.preview.png');
});

test('each pixel becomes a square', (t) => {
  const { width, height, data } = enlarged(
    { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) },
    2,
  );
  const row = [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6];
  t.deepEqual([width, height], [4, 2]);
  t.deepEqual([...data], [...row, ...row]);
});

test('the newest preview has the size of the picture, and goes with its job', (t) => {
  const folder = tempFolder('preview');
  const output = join(folder, 'boat.png');
  const settings = prepare(
    { prompt: 'a lake', width: 128, height: 64 },
    ModelDirectory.open(scenesPath),
  );
  {
    using file = new PreviewFile(output);
    file.show({ kind: 'plan', settings, ...imageForecast(settings, []) });
    t.false(existsSync(previewPath(output)));
    for (const grey of [10, 200]) {
      const image = { width: 16, height: 8, data: new Uint8Array(3 * 16 * 8).fill(grey) };
      file.show({ kind: 'preview', step: 0, image });
      const { image: seen } = decodePng(readFileSync(previewPath(output)));
      t.deepEqual([seen.width, seen.height, seen.data[0]], [128, 64, grey]);
    }
  }
  t.deepEqual(readdirSync(folder), []);
});
