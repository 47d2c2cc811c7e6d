/** Trains a small network on two interleaved half moons, telling its loss after every epoch. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { context } from '../runtime/index.js';
import { randomFrom } from './pi-tasks.js';

export interface Settings {
  readonly learningRate: number;
  readonly hidden: number;
}

export interface Epoch {
  readonly epoch: number;
  /** Mean cross-entropy on the samples of training, in nats. */
  readonly loss: number;
}

const samples = 400;

/** Ends between epochs when its consumer has left. */
export async function* train(
  { learningRate, hidden }: Settings,
  epochs: number,
): AsyncGenerator<Epoch> {
  const { signal } = context();
  const moons = halfMoons();
  const network = new Network(hidden);
  for (let epoch = 1; epoch <= epochs && !signal.aborted; epoch++) {
    let loss = 0;
    for (const moon of moons) loss += network.learn(moon, learningRate) / samples;
    yield { epoch, loss };
    // Messages come in between turns: without a pause nobody could stop this.
    await nextTurn();
  }
}

interface Sample {
  readonly point: readonly [x: number, y: number];
  readonly label: 0 | 1;
}

function halfMoons(): readonly Sample[] {
  const random = randomFrom(1);
  const jitter = (): number => 0.2 * (random() - 0.5);
  return Array.from({ length: samples }, (_, n) => {
    const angle = random() * Math.PI;
    const point = [Math.cos(angle) + jitter(), Math.sin(angle) + jitter()] as const;
    return n % 2 === 0 ? { point, label: 0 } : { point: [1 - point[0], 0.5 - point[1]], label: 1 };
  });
}

/** Two inputs, one hidden layer of tanh, one logistic output. */
class Network {
  /** Of each hidden unit: two input weights, a bias, and its weight in the output. */
  readonly #units: Float64Array[];
  #bias = 0;

  constructor(hidden: number) {
    const random = randomFrom(2);
    this.#units = Array.from({ length: hidden }, () =>
      Float64Array.from({ length: 4 }, () => 2 * random() - 1),
    );
  }

  /** One step down the slope of one sample; @returns its loss before. */
  learn({ point: [x, y], label }: Sample, learningRate: number): number {
    const heights = this.#units.map(([a, b, c]) => Math.tanh(a! * x + b! * y + c!));
    const logit = heights.reduce((sum, h, n) => sum + h * this.#units[n]![3]!, this.#bias);
    const slope = 1 / (1 + Math.exp(-logit)) - label;
    for (const [n, unit] of this.#units.entries()) {
      const h = heights[n]!;
      const inner = slope * unit[3]! * (1 - h * h);
      unit[0]! -= learningRate * inner * x;
      unit[1]! -= learningRate * inner * y;
      unit[2]! -= learningRate * inner;
      unit[3]! -= learningRate * slope * h;
    }
    this.#bias -= learningRate * slope;
    const signed = label === 1 ? logit : -logit;
    return Math.max(0, -signed) + Math.log1p(Math.exp(-Math.abs(signed)));
  }
}
