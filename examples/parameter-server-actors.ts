/** Linear regression: a server that holds the weights, and workers that know how far off they are on their own data. */

import { randomFrom } from './pi-tasks.js';

/** What the data were made with, and what training should find. */
export const truth: Float64Array = Float64Array.of(2, -1, 0.5, 3, -2, 1.5, -0.5, 0.25);

const noise = 0.1;

export class ParameterServer {
  readonly #weights = new Float64Array(truth.length);
  readonly #learningRate: number;

  constructor(learningRate: number) {
    this.#learningRate = learningRate;
  }

  weights(): Float64Array {
    return this.#weights;
  }

  /** One step against the mean of the workers' gradients; @returns the weights after it. */
  apply(gradients: readonly Float64Array[]): Float64Array {
    for (const gradient of gradients) {
      for (const [n, slope] of gradient.entries()) {
        this.#weights[n]! -= (this.#learningRate * slope) / gradients.length;
      }
    }
    return this.#weights;
  }
}

export interface Slope {
  /** Mean squared error on the worker's data, before the step. */
  readonly loss: number;
  readonly gradient: Float64Array;
}

export class GradientWorker {
  readonly #inputs: readonly Float64Array[];
  readonly #outputs: Float64Array;

  /** @param samples Made up from `seed`: they never leave the worker. */
  constructor(seed: number, samples: number) {
    const random = randomFrom(seed);
    const row = (): Float64Array => truth.map(() => 2 * random() - 1);
    this.#inputs = Array.from({ length: samples }, row);
    this.#outputs = Float64Array.from(
      this.#inputs,
      (input) => dot(input, truth) + noise * (2 * random() - 1),
    );
  }

  slope(weights: Float64Array): Slope {
    const gradient = new Float64Array(weights.length);
    const samples = this.#inputs.length;
    let loss = 0;
    for (const [sample, input] of this.#inputs.entries()) {
      const error = dot(input, weights) - this.#outputs[sample]!;
      loss += error ** 2 / samples;
      for (const [n, value] of input.entries()) gradient[n]! += (2 * error * value) / samples;
    }
    return { loss, gradient };
  }
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, n) => sum + value * b[n]!, 0);
