/** Progress of a job on the terminal: step, time per step, border bytes, border age. */

import cliProgress from 'cli-progress';
import type { GenerationProgress, StepProgress } from '../engine/generation-progress.js';

const format = '{label} [{bar}] {value}/{total}  {time} ms/step  {bytes} of borders  age {age}';

export class ProgressBar implements Disposable {
  readonly #bar = new cliProgress.SingleBar(
    { format, hideCursor: true, barsize: 24, noTTYOutput: true, notTTYSchedule: 2_000 },
    cliProgress.Presets.shades_classic,
  );
  readonly #label: string;
  #running = false;
  #isDisplaced = false;

  constructor(label = 'denoising') {
    this.#label = label;
  }

  show(progress: GenerationProgress): void {
    switch (progress.kind) {
      case 'choice':
        console.log(`auto: ${progress.choice.why}`);
        return;
      case 'prompt':
        note(progress);
        return;
      case 'plan':
        this.#bar.start(progress.settings.evaluations, 0, {
          label: this.#label,
          time: '-',
          bytes: '-',
          age: '-',
        });
        this.#running = true;
        return;
      case 'step':
        this.#bar.update(progress.step + 1, {
          time: progress.stepMs.toFixed(0),
          ...this.#bordersOf(progress),
        });
        return;
      case 'preview':
        return;
      case 'decode':
        this.end();
        if (progress.why) console.log(`One device decodes the image: ${progress.why}`);
        return;
    }
  }

  /** After displaced steps come a few that read rows of the latent instead: what borders were is left to be seen. */
  #bordersOf({ borderAge, borderBytes }: StepProgress): { bytes?: string; age?: number | string } {
    if (borderAge === 0 && this.#isDisplaced) return {};
    this.#isDisplaced = (borderAge ?? 0) > 0;
    return { bytes: inBytes(borderBytes), age: borderAge ?? '-' };
  }

  end(): void {
    if (this.#running) this.#bar.stop();
    this.#running = false;
  }

  [Symbol.dispose](): void {
    this.end();
  }
}

function note({ unknownWords, cutTokens }: Extract<GenerationProgress, { kind: 'prompt' }>): void {
  if (unknownWords.length > 0) {
    console.log(`Words that the model does not know and ignores: ${unknownWords.join(', ')}`);
  }
  if (cutTokens > 0)
    console.log(`The prompt is too long: its last ${cutTokens} tokens are ignored`);
}

/** `1.06 MB`, in units of 1000. */
export function inBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`;
}
