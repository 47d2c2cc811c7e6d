/** A head without sockets: events go in one by one, what it sends is kept. */

import type { WireError } from '../../runtime/errors.js';
import {
  type BrainSettings,
  brainSettings,
  type Effect,
  type HeadEvent,
  step,
} from '../../runtime/head/brain.js';
import { MemoryJournal } from '../../runtime/head/journal.js';
import { changesOf, type HeadRow, headKey } from '../../runtime/head/records.js';
import { restore } from '../../runtime/head/restore.js';
import { type HeadState, newHeadState } from '../../runtime/head/state.js';
import type { ActorId, CodeId, GroupId, NodeId, ProcessId } from '../../runtime/ids.js';
import type { LabelSelector, Labels } from '../../runtime/labels.js';
import { type Resources, toQuantities, toResources } from '../../runtime/resources.js';
import type { ActorSpec, GroupStrategy } from '../../runtime/wire/actor-spec.js';
import type { ActorRef, Address } from '../../runtime/wire/address.js';
import type { JobExit, LivingActor, LivingJob } from '../../runtime/wire/living.js';
import type { Gpu, Message, MessageOf, Role } from '../../runtime/wire/messages.js';

export const driver = 'driver' as ProcessId;

export const gpuNamed = (uuid: string): Gpu => ({ index: 0, uuid, name: 'H100', memoryMb: 80_000 });

export class HeadScript {
  state: HeadState = newHeadState();
  at = 0;
  /** The last `actor.create` or `group.create`. */
  lastRequest: Message | undefined;
  readonly #journal = new MemoryJournal();
  /** What agents were told, last of each actor. */
  readonly #started = new Map<ActorId, MessageOf<'actor.start'>>();
  readonly #settings: BrainSettings;
  #nextId = 1;

  constructor(settings: Partial<BrainSettings> = {}) {
    this.#settings = { ...brainSettings, ...settings };
    const head: HeadRow = { cluster: 'cluster' as ProcessId, epoch: 1 };
    this.#journal.write([{ key: headKey, value: head }]);
  }

  message(from: ProcessId, message: Message): readonly Effect[] {
    return this.#step({ at: this.at, from, message });
  }

  joined(process: string): readonly Effect[] {
    return this.#step({ at: this.at, joined: process as ProcessId });
  }

  left(process: string, role: Role, why = 'gone'): readonly Effect[] {
    return this.#step({ at: this.at, left: process as ProcessId, role, why });
  }

  tick(at: number): readonly Effect[] {
    this.at = at;
    return this.#step({ at, tick: true });
  }

  /** Only the journal is left, and what links bring. */
  crash(): void {
    this.state = restore(this.#journal.rows(), this.at, this.#settings).state;
  }

  /** What a head that started now would know. */
  remembered(): HeadState {
    return restore(this.#journal.rows(), this.at, this.#settings).state;
  }

  #step(event: HeadEvent): readonly Effect[] {
    const { effects, touched } = step(this.state, event, this.#settings);
    this.#journal.write(changesOf(this.state, touched));
    for (const start of starts(effects)) this.#started.set(start.actor, start);
    return effects;
  }

  /** Node `n` with agent `agent-n`. */
  join(
    name: string,
    resources: Resources,
    gpus: readonly string[] = [],
    labels: Labels = {},
    node: string = name,
  ): readonly Effect[] {
    return this.message(agentOf(node), {
      kind: 'node.join',
      id: this.#nextId++,
      node: node as NodeId,
      name,
      resources: toQuantities({ ...resources, ...(gpus.length > 0 ? { gpu: gpus.length } : {}) }),
      gpus: gpus.map(gpuNamed),
      labels,
    });
  }

  /** Node `n` is back with what lives on it; actors that have come up have an address. */
  rejoin(
    name: string,
    actors: readonly ActorId[] = [],
    { starting = [], exits = [], jobs = [], jobExits = [] }: Rejoined = {},
  ): readonly Effect[] {
    const told = (actor: ActorId): LivingActor => {
      const { kind: _, snapshot: _s, ...start } = this.#started.get(actor)!;
      return starting.includes(actor) ? start : { ...start, address: addressOf(actor) };
    };
    this.joined(agentOf(name));
    return this.message(agentOf(name), {
      kind: 'node.rejoin',
      node: name as NodeId,
      actors: [...actors, ...starting].map(told),
      exits: exits.map((actor) => ({
        actor,
        restarts: this.#started.get(actor)!.restarts,
        cause: { name: 'RuntimeError', code: 'E_ACTOR_DEAD', message: 'died of SIGKILL' },
      })),
      jobs,
      jobExits,
    });
  }

  /** Make a request as it was made before. */
  again(from: ProcessId, message: Message): Asked {
    return { id: 'id' in message ? message.id : 0, effects: this.message(from, message) };
  }

  create(options: Created = {}): Asked {
    const { from = driver, resources = { cpu: 1 }, ...rest } = options;
    const spec: ActorSpec = {
      code: 'code' as CodeId,
      exportName: 'Counter',
      args: new Uint8Array(),
      resources: toQuantities(resources),
      ...rest,
    };
    const id = this.#nextId++;
    const message = { kind: 'actor.create', id, spec } as const;
    this.lastRequest = message;
    return { id, effects: this.message(from, message) };
  }

  /** A created actor that has come up. */
  living(options: Created = {}): ActorId {
    const { effects } = this.create(options);
    const started = starts(effects)[0]!;
    this.alive(started.actor);
    return started.actor;
  }

  alive(actor: ActorId): readonly Effect[] {
    const claimed = this.state.actors.get(actor)!.state;
    const node = 'claim' in claimed ? claimed.claim.node : 'nowhere';
    return this.message(agentOf(node), { kind: 'actor.alive', actor, address: addressOf(actor) });
  }

  exited(actor: ActorId, why = 'was stopped', code = 'E_ACTOR_DEAD'): readonly Effect[] {
    const cause: WireError = { name: 'RuntimeError', code, message: why };
    return this.message('agent' as ProcessId, { kind: 'actor.exited', actor, cause });
  }

  kill(actor: ActorId): Asked {
    const id = this.#nextId++;
    return { id, effects: this.message(driver, { kind: 'actor.kill', id, actor }) };
  }

  verdict(actor: string): Asked {
    const id = this.#nextId++;
    const known = this.state.actors.get(actor as ActorId)?.state;
    const process = known?.phase === 'alive' ? known.address.process : ('nowhere' as ProcessId);
    const message = { kind: 'actor.verdict', id, actor: actor as ActorId, process } as const;
    return { id, effects: this.message(driver, message) };
  }

  find(name: string, namespace = 'default'): Asked {
    const id = this.#nextId++;
    return { id, effects: this.message(driver, { kind: 'actor.find', id, name, namespace }) };
  }

  cancel(id: number, from: ProcessId = driver): readonly Effect[] {
    return this.message(from, { kind: 'cancel', id });
  }

  group(
    bundles: readonly Resources[],
    strategy: GroupStrategy = 'pack',
    from: ProcessId = driver,
    labelSelector: LabelSelector = {},
  ): Asked {
    const id = this.#nextId++;
    const needs = bundles.map(toQuantities);
    const message = { kind: 'group.create', id, bundles: needs, strategy, labelSelector } as const;
    this.lastRequest = message;
    return { id, effects: this.message(from, message) };
  }

  removeGroup(group: GroupId): Asked {
    const id = this.#nextId++;
    return { id, effects: this.message(driver, { kind: 'group.remove', id, group }) };
  }

  beat(name: string): void {
    this.message(agentOf(name), { kind: 'node.beat', node: name as NodeId, lagMs: 1 });
  }

  /** What is free, by node. */
  get free(): Readonly<Record<string, Resources>> {
    return Object.fromEntries(
      [...this.state.nodes.values()].map((node) => [node.name, toResources(node.free)]),
    );
  }

  phase(actor: ActorId): string | undefined {
    return this.state.actors.get(actor)?.state.phase;
  }
}

export type Created = Partial<Omit<ActorSpec, 'resources'>> & {
  readonly from?: ProcessId;
  readonly resources?: Resources;
};

export interface Rejoined {
  readonly starting?: readonly ActorId[];
  readonly exits?: readonly ActorId[];
  readonly jobs?: readonly LivingJob[];
  readonly jobExits?: readonly JobExit[];
}

export interface Asked {
  readonly id: number;
  readonly effects: readonly Effect[];
}

export const agentOf = (node: string): ProcessId => `agent-${node}` as ProcessId;

const addressOf = (actor: ActorId): Address => ({
  process: `host-${actor}` as ProcessId,
  machine: 'm',
  unix: '',
  url: 'ws://h:1',
});

const ofKind = <Kind extends Message['kind']>(
  effects: readonly Effect[],
  kind: Kind,
): readonly MessageOf<Kind>[] =>
  effects.map(({ send }) => send).filter((sent): sent is MessageOf<Kind> => sent.kind === kind);

export const starts = (effects: readonly Effect[]): readonly MessageOf<'actor.start'>[] =>
  ofKind(effects, 'actor.start');
export const stops = (effects: readonly Effect[]): readonly MessageOf<'actor.stop'>[] =>
  ofKind(effects, 'actor.stop');

/** The answer to one request, or undefined if there is none yet. */
export function answer(effects: readonly Effect[], id: number): Answer | undefined {
  for (const { send } of effects) {
    if (send.kind === 'reply' && send.id === id) return { value: send.value };
    if (send.kind === 'error' && send.id === id) return { error: send.error };
  }
  return undefined;
}

export type Answer = { readonly value: unknown } | { readonly error: WireError };

export const errorOf = (found: Answer | undefined): WireError | undefined =>
  found && 'error' in found ? found.error : undefined;

/** Code and text of a refused request: `E_NO_ROOM: no node can hold it`. */
export function refusalOf({ id, effects }: Asked): string | undefined {
  const error = errorOf(answer(effects, id));
  return error && `${error.code}: ${error.message}`;
}

export const refOf = (found: Answer | undefined): ActorRef | undefined =>
  found && 'value' in found ? (found.value as ActorRef) : undefined;

export const groupOf = (found: Answer | undefined): GroupId =>
  (found as { readonly value: GroupId }).value;
