import test from 'ava';
import fc from 'fast-check';
import { encode } from 'fast-png';
import { decodePng, encodePng } from '../../../pcpp/image/png.js';

test('any image survives, twice to the same bytes', (t) => {
  const images = fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
    .chain(([width, height]) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        data: fc.uint8Array({ minLength: 3 * width * height, maxLength: 3 * width * height }),
      }),
    );
  fc.assert(
    fc.property(images, (image) => {
      const png = encodePng(image, { Prompt: 'a lake' });
      t.deepEqual(decodePng(png), { image, text: { Prompt: 'a lake' } });
      t.deepEqual(encodePng(image, { Prompt: 'a lake' }), png);
    }),
    { numRuns: 50 },
  );
});

test('text outside of Latin-1 is escaped', (t) => {
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  const { text } = decodePng(encodePng(image, { Prompt: 'café 猫 😀\tx' }));
  t.is(text['Prompt'], 'café \\u732b \\ud83d\\ude00\\u0009x');
});

test('another kind of PNG is refused', (t) => {
  const grey = encode({ width: 1, height: 1, data: Uint8Array.of(7), channels: 1, depth: 8 });
  t.throws(() => decodePng(grey), { code: 'E_SHAPE', message: /1 channels of 8 bits/ });
});
