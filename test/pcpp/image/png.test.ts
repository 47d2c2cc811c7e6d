import test from 'ava';
import fc from 'fast-check';
import { encode } from 'fast-png';
import { decodePng, encodePng, readPicture } from '../../../pcpp/image/png.js';

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

const pixels = (channels: 1 | 2 | 3 | 4, ...values: readonly number[]): Uint8Array =>
  encode({ width: 2, height: 1, data: Uint8Array.from(values), channels, depth: 8 });

test('a picture to begin with may be grey, and may be transparent', (t) => {
  const read = (png: Uint8Array): Uint8Array => readPicture(png, 'a.png').data;
  t.deepEqual(read(pixels(1, 7, 8)), Uint8Array.of(7, 7, 7, 8, 8, 8));
  t.deepEqual(read(pixels(2, 7, 255, 8, 0)), Uint8Array.of(7, 7, 7, 8, 8, 8));
  t.deepEqual(read(pixels(3, 1, 2, 3, 4, 5, 6)), Uint8Array.of(1, 2, 3, 4, 5, 6));
  t.deepEqual(read(pixels(4, 1, 2, 3, 0, 4, 5, 6, 9)), Uint8Array.of(1, 2, 3, 4, 5, 6));
});

test('what is no such picture is refused by name', (t) => {
  const refused = (png: Uint8Array, message: RegExp) =>
    t.throws(() => readPicture(png, 'a.png'), { code: 'E_OPTION', message });
  refused(Uint8Array.of(1, 2, 3), /a\.png is no PNG/);
  refused(new Uint8Array(0), /a\.png is no PNG/);
  refused(pixels(3, 1, 2, 3, 4, 5, 6).slice(0, 40), /a\.png is no PNG/);
  const deep = encode({ width: 1, height: 1, data: new Uint16Array(3), channels: 3, depth: 16 });
  refused(deep, /16 bits; save it as a PNG of 8-bit RGB/);
});
