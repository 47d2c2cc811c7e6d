/** A staged graph in ONNX Runtime: one session for each stage, and what goes from one to the next. */

import { PcppError } from '../errors.js';
import {
  type Port,
  Session,
  type SessionOptions,
  type Value,
  type Values,
} from '../onnx/session.js';
import type { StagedGraph } from '../rewrite/staged.js';

export class StagedSessions implements AsyncDisposable {
  readonly graph: StagedGraph;
  readonly #sessions: readonly Session[];
  /** By value the last stage that reads it. */
  readonly #lastRead = new Map<string, number>();

  private constructor(graph: StagedGraph, sessions: readonly Session[]) {
    this.graph = graph;
    this.#sessions = sessions;
    for (const [stage, session] of sessions.entries()) {
      for (const { name } of session.inputs) this.#lastRead.set(name, stage);
    }
  }

  /** @throws PcppError `E_SESSION` if ONNX Runtime refuses a stage. */
  static async open(graph: StagedGraph, options: SessionOptions = {}): Promise<StagedSessions> {
    const { externalDataFolder } = graph;
    const sessions: Session[] = [];
    try {
      for (const { bytes } of graph.stages) {
        sessions.push(
          await Session.open(bytes, {
            ...options,
            ...(externalDataFolder ? { externalDataFolder } : {}),
          }),
        );
      }
      return new StagedSessions(graph, sessions);
    } catch (error) {
      await release(sessions);
      throw error;
    }
  }

  /** An input of the model itself; undefined if it has none of this name. */
  port(name: string): Port | undefined {
    return this.#sessions.flatMap(({ inputs }) => inputs).find((port) => port.name === name);
  }

  /**
   * @param values What the stages before have handed over, and the model's own inputs: what is not read any more leaves
   *   it, what later stages read is added.
   * @param told What the other patches have said.
   * @returns Everything the stage gives: what it tells among it, and of the model's own outputs those that are ready.
   */
  async run(stage: number, values: Map<string, Value>, told: Values): Promise<Values> {
    const session = this.#sessions[stage]!;
    const feeds = session.inputs.map(({ name }) => [name, told[name] ?? values.get(name)] as const);
    const missing = feeds.filter(([, value]) => !value).map(([name]) => name);
    if (missing.length > 0) {
      throw new PcppError('E_SHAPE', `the model needs the inputs ${missing.join(', ')}`);
    }
    const results = await session.run(Object.fromEntries(feeds) as Values);
    for (const [name] of feeds) if (this.#lastRead.get(name) === stage) values.delete(name);
    for (const [name, value] of Object.entries(results)) {
      if (this.#lastRead.has(name)) values.set(name, value);
    }
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await release(this.#sessions);
  }
}

async function release(sessions: readonly Session[]): Promise<void> {
  await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
}
