/**
 * The head's decisions. `step` takes one event and says what to send to whom; it touches neither sockets nor clocks,
 * so every race is a list of events in a test. It changes the state it is given and nothing else.
 */

import { RuntimeError, toWireError, type WireError } from '../errors.js';
import { type ActorId, type GroupId, newActorId, newGroupId, type ProcessId } from '../ids.js';
import { minus, plus } from '../resources.js';
import { ActorRef } from '../wire/address.js';
import type { ActorSpec, Message, MessageOf, Role } from '../wire/messages.js';
import { createGroup, releaseGroup, retryGroups } from './groups.js';
import { claim, misfit, placeOne, release } from './place.js';
import type { ActorRecord, Bundle, Claim, HeadState, NodeRecord, Request } from './state.js';
import { statusOf } from './status.js';

export type HeadEvent = { readonly at: number } & (
  | { readonly message: Message; readonly from: ProcessId }
  | { readonly left: ProcessId; readonly role: Role; readonly why: string }
  | { readonly tick: true }
);

export interface Effect {
  readonly to: ProcessId;
  readonly send: Message;
}

export interface BrainSettings {
  /** A node whose beats stay away for this long is dead. */
  readonly nodeTimeoutMs: number;
  /** Dead actors remembered, so that late callers hear why. */
  readonly maxGraves: number;
}

export const brainSettings: BrainSettings = { nodeTimeoutMs: 10_000, maxGraves: 1_000 };

export function step(
  state: HeadState,
  event: HeadEvent,
  settings: BrainSettings = brainSettings,
): readonly Effect[] {
  const turn = new Turn(state, event.at, settings);
  if ('message' in event) turn.message(event.from, event.message);
  else if ('left' in event) turn.left(event.left, event.role, event.why);
  else turn.tick();
  return turn.effects;
}

class Turn {
  readonly effects: Effect[] = [];
  readonly #state: HeadState;
  readonly #at: number;
  readonly #settings: BrainSettings;

  constructor(state: HeadState, at: number, settings: BrainSettings) {
    this.#state = state;
    this.#at = at;
    this.#settings = settings;
  }

  message(from: ProcessId, message: Message): void {
    switch (message.kind) {
      case 'node.join':
        this.#join(from, message);
        return;
      case 'node.beat': {
        const node = this.#state.nodes.get(message.node);
        if (node) Object.assign(node, { beatAt: this.#at, lagMs: message.lagMs });
        return;
      }
      case 'actor.create':
        this.#create({ from, id: message.id }, message.spec);
        return;
      case 'actor.alive':
        this.#alive(message);
        return;
      case 'actor.waiting':
        this.#lend(message.actor, message.waiting);
        return;
      case 'actor.exited':
        this.#bury(this.#state.actors.get(message.actor), message.cause);
        this.#retry();
        return;
      case 'actor.find':
        this.#find({ from, id: message.id }, message.name);
        return;
      case 'actor.kill':
        this.#kill({ from, id: message.id }, message.actor);
        return;
      case 'actor.verdict':
        this.#verdict({ from, id: message.id }, message.actor);
        return;
      case 'group.create':
        this.#createGroup({ from, id: message.id }, message);
        return;
      case 'group.remove':
        this.#removeGroup(message.group, { from, id: message.id });
        this.#retry();
        return;
      case 'cancel':
        this.#cancel({ from, id: message.id });
        return;
      case 'status':
        this.#reply({ from, id: message.id }, statusOf(this.#state, this.#at));
        return;
      default:
        if ('id' in message) {
          this.#fail(
            { from, id: message.id },
            new RuntimeError('E_PROTOCOL', `the head does not answer ${message.kind}`),
          );
        }
    }
  }

  /** A process is gone: its node, its actors, what it waited for. */
  left(process: ProcessId, role: Role, why: string): void {
    for (const node of [...this.#state.nodes.values()]) {
      if (node.agent === process) this.#loseNode(node, why);
    }
    const text = `its owner, ${role} ${process}, left: ${why}`;
    const cause = new RuntimeError('E_ACTOR_DEAD', text);
    for (const actor of [...this.#state.actors.values()]) {
      if (actor.owner === process) this.#end(actor, cause);
    }
    for (const group of [...this.#state.groups.values()]) {
      if (group.owner === process) this.#removeGroup(group.id);
    }
    this.#retry();
  }

  tick(): void {
    const { nodeTimeoutMs } = this.#settings;
    const asleepMs = this.#at - (this.#state.tickedAt ?? this.#at);
    this.#state.tickedAt = this.#at;
    // The head itself stood still: the beats of that time are waiting in its sockets.
    if (asleepMs > nodeTimeoutMs / 2) {
      for (const node of this.#state.nodes.values()) node.beatAt = this.#at;
    }
    for (const node of [...this.#state.nodes.values()]) {
      const silentMs = this.#at - node.beatAt;
      if (silentMs <= nodeTimeoutMs) continue;
      this.#send(node.agent, { kind: 'node.stop', why: 'declared dead: no beat' });
      this.#loseNode(node, `no beat for ${Math.round(silentMs / 1000)} s`);
    }
  }

  #join(from: ProcessId, message: MessageOf<'node.join'>): void {
    const { id, node, name, resources, gpus } = message;
    const taken = [...this.#state.nodes.values()].some((other) => other.name === name);
    if (taken) {
      const text = `a node named ${name} is here already; choose another with --name`;
      this.#fail({ from, id }, new RuntimeError('E_NAME_TAKEN', text));
      return;
    }
    this.#state.nodes.set(node, {
      id: node,
      name,
      agent: from,
      total: resources,
      free: resources,
      gpus,
      gpuFree: new Map(gpus.map(({ uuid }) => [uuid, 10_000])),
      beatAt: this.#at,
      lagMs: 0,
    });
    this.#reply({ from, id }, null);
    this.#retry();
  }

  #create(request: Request, spec: ActorSpec): void {
    const twin = spec.name === undefined ? undefined : this.#named(spec.name);
    if (twin) {
      const text = `an actor named ${spec.name} lives already (${twin.label})`;
      this.#fail(request, new RuntimeError('E_NAME_TAKEN', text));
      return;
    }
    const actor: ActorRecord = {
      id: newActorId(),
      spec,
      label: labelOf(spec),
      owner: request.from,
      creator: request,
      verdicts: [],
      killers: [],
      isLending: false,
      state: { phase: 'pending', since: this.#at, why: [] },
    };
    this.#state.actors.set(actor.id, actor);
    this.#place(actor);
  }

  /** Give a pending actor its place, leave it pending, or refuse it for good. */
  #place(actor: ActorRecord): void {
    if (actor.state.phase !== 'pending') return;
    const { spec } = actor;
    if (spec.bundle) {
      this.#placeInBundle(actor, spec.bundle, actor.state.since);
      return;
    }
    const placement = placeOne([...this.#state.nodes.values()], spec.resources, spec.node);
    if (placement.ok) {
      this.#start(actor, claim(placement.place, placement.place.id, spec.resources));
    } else if (placement.never) {
      const text = `no node can hold ${actor.label}: ${placement.why.join('; ')}`;
      this.#refuse(actor, text);
    } else {
      actor.state = { ...actor.state, why: placement.why };
    }
  }

  #placeInBundle(actor: ActorRecord, where: NonNullable<ActorSpec['bundle']>, since: number): void {
    const group = this.#state.groups.get(where.group);
    const bundle = group?.bundles[where.index];
    const place = `bundle ${where.index} of group ${where.group}`;
    if (!bundle?.claim || group?.state.phase !== 'ready') {
      this.#refuse(actor, `${place} is not reserved`);
      return;
    }
    if (!this.#state.nodes.has(bundle.claim.node)) {
      this.#refuse(actor, `${place}: its node was lost; make a new group`);
      return;
    }
    const { resources } = actor.spec;
    const never = misfit(resources, { free: bundle.need, gpuFree: bundle.claim.gpus });
    if (never.length > 0) {
      this.#refuse(actor, `${actor.label} does not fit ${place}: ${never.join(', ')}`);
      return;
    }
    const why = misfit(resources, bundle);
    if (why.length > 0) {
      actor.state = { phase: 'pending', since, why: [`${place}: ${why.join(', ')}`] };
      return;
    }
    this.#start(actor, claim(bundle, bundle.claim.node, actor.spec.resources));
  }

  #refuse(actor: ActorRecord, text: string): void {
    this.#bury(actor, toWireError(new RuntimeError('E_NO_ROOM', text)));
  }

  #start(actor: ActorRecord, taken: Claim): void {
    const node = this.#state.nodes.get(taken.node)!;
    actor.state = { phase: 'starting', claim: taken };
    const gpus = [...taken.gpus.keys()];
    const { id, label, spec } = actor;
    this.#send(node.agent, { kind: 'actor.start', actor: id, label, spec, gpus });
  }

  #alive(message: MessageOf<'actor.alive'>): void {
    const actor = this.#state.actors.get(message.actor);
    if (actor?.state.phase !== 'starting') return;
    actor.state = { phase: 'alive', claim: actor.state.claim, address: message.address };
    this.#reply(actor.creator, refOf(actor));
  }

  /** A task that waits for its own tasks gives its processors back meanwhile: or those might never run. */
  #lend(id: ActorId, waiting: boolean): void {
    const actor = this.#state.actors.get(id);
    if (actor?.state.phase !== 'alive' || actor.spec.exportName !== '') return;
    if (actor.isLending === waiting) return;
    actor.isLending = waiting;
    const room = this.#roomOf(actor, actor.state.claim);
    if (!room) return;
    const processors = { cpu: actor.spec.resources['cpu'] ?? 0 };
    room.free = waiting ? plus(room.free, processors) : minus(room.free, processors);
    if (waiting) this.#retry();
  }

  #find(request: Request, name: string): void {
    const actor = this.#named(name);
    const ref = actor ? refOf(actor) : undefined;
    if (ref) this.#reply(request, ref);
    else this.#fail(request, new RuntimeError('E_NAME_UNKNOWN', `no living actor named ${name}`));
  }

  #kill(request: Request, id: ActorId): void {
    const actor = this.#state.actors.get(id);
    if (!actor || actor.state.phase === 'dead') {
      this.#reply(request, null);
      return;
    }
    actor.killers.push(request);
    this.#end(actor, new RuntimeError('E_ACTOR_DEAD', `${actor.label} was killed`));
  }

  #verdict(request: Request, id: ActorId): void {
    const actor = this.#state.actors.get(id);
    if (!actor) {
      const text = `actor ${id} is not known (any more)`;
      this.#fail(request, new RuntimeError('E_ACTOR_DEAD', text));
    } else if (actor.state.phase === 'dead') {
      this.#send(request.from, { kind: 'error', id: request.id, error: actor.state.cause });
    } else {
      actor.verdicts.push(request);
    }
  }

  #createGroup(request: Request, message: MessageOf<'group.create'>): void {
    const group = createGroup(newGroupId(), request, message, this.#at);
    this.#state.groups.set(group.id, group);
    this.#retry();
  }

  /** @param request Answered when the group's actors are dead and its resources free. */
  #removeGroup(id: GroupId, request?: Request): void {
    const group = this.#state.groups.get(id);
    if (!group) {
      if (request) this.#reply(request, null);
      return;
    }
    if (request) group.removers.push(request);
    const cause = new RuntimeError('E_ACTOR_DEAD', `its placement group ${id} was removed`);
    for (const actor of [...this.#state.actors.values()]) {
      if (actor.spec.bundle?.group === id) this.#end(actor, cause);
    }
    group.state = { phase: 'removing' };
    this.#finishRemoval(id);
  }

  /** A removed group keeps its resources until its last actor is dead. */
  #finishRemoval(id: GroupId): void {
    const group = this.#state.groups.get(id);
    if (group?.state.phase !== 'removing') return;
    for (const { spec, state } of this.#state.actors.values()) {
      if (spec.bundle?.group === id && state.phase !== 'dead') return;
    }
    releaseGroup(this.#state, group);
    this.#state.groups.delete(id);
    for (const request of group.removers) this.#reply(request, null);
  }

  /** The creator gave up waiting. Its answer may be under way, but it will not look at it any more. */
  #cancel(request: Request): void {
    const same = (creator: Request): boolean =>
      creator.from === request.from && creator.id === request.id;
    for (const actor of this.#state.actors.values()) {
      if (!same(actor.creator)) continue;
      this.#end(actor, new RuntimeError('E_ABORTED', `${actor.label}: its creator gave up`));
    }
    for (const group of this.#state.groups.values()) {
      if (same(group.creator)) this.#removeGroup(group.id);
    }
    this.#retry();
  }

  /** Ask the agent to end an actor; one that has no host yet ends here. */
  #end(actor: ActorRecord, cause: RuntimeError): void {
    const { state } = actor;
    if (state.phase === 'pending') {
      this.#bury(actor, toWireError(cause));
    } else if (state.phase !== 'dead') {
      const node = this.#state.nodes.get(state.claim.node);
      if (node) this.#send(node.agent, { kind: 'actor.stop', actor: actor.id });
      else this.#bury(actor, toWireError(cause));
    }
  }

  #bury(actor: ActorRecord | undefined, cause: WireError): void {
    if (!actor || actor.state.phase === 'dead') return;
    const { creator, verdicts, killers, state } = actor;
    if (state.phase !== 'pending') this.#giveBack(actor, state.claim);
    actor.state = { phase: 'dead', at: this.#at, cause };
    for (const request of [...(state.phase === 'alive' ? [] : [creator]), ...verdicts]) {
      this.#send(request.from, { kind: 'error', id: request.id, error: cause });
    }
    for (const request of killers) this.#reply(request, null);
    Object.assign(actor, { verdicts: [], killers: [] });
    if (actor.spec.bundle) this.#finishRemoval(actor.spec.bundle.group);
    // One that never had a place is known to nobody: no grave for it.
    if (state.phase === 'pending') this.#state.actors.delete(actor.id);
    else this.#state.graves.push(actor.id);
    if (this.#state.graves.length > this.#settings.maxGraves) {
      this.#state.actors.delete(this.#state.graves.shift()!);
    }
  }

  #giveBack(actor: ActorRecord, taken: Claim): void {
    this.#lend(actor.id, false);
    const room = this.#roomOf(actor, taken);
    if (room) release(room, taken);
  }

  #roomOf(actor: ActorRecord, taken: Claim): NodeRecord | Bundle | undefined {
    const where = actor.spec.bundle;
    return where
      ? this.#state.groups.get(where.group)?.bundles[where.index]
      : this.#state.nodes.get(taken.node);
  }

  #loseNode(node: NodeRecord, why: string): void {
    this.#state.nodes.delete(node.id);
    for (const actor of [...this.#state.actors.values()]) {
      const { state } = actor;
      if (state.phase === 'dead' || state.phase === 'pending') continue;
      if (state.claim.node !== node.id) continue;
      const text = `${actor.label}: its node ${node.name} was lost (${why})`;
      this.#bury(actor, toWireError(new RuntimeError('E_ACTOR_DEAD', text)));
    }
    this.#retry();
  }

  /** Something became free or went away: see what waits. */
  #retry(): void {
    const { ready, refused } = retryGroups(this.#state);
    for (const { request, group } of ready) this.#reply(request, group);
    for (const { request, error } of refused) this.#fail(request, error);
    for (const actor of this.#state.actors.values()) this.#place(actor);
  }

  #named(name: string): ActorRecord | undefined {
    for (const actor of this.#state.actors.values()) {
      if (actor.spec.name === name && actor.state.phase !== 'dead') return actor;
    }
    return undefined;
  }

  #send(to: ProcessId, send: Message): void {
    this.effects.push({ to, send });
  }

  #reply({ from, id }: Request, value: unknown): void {
    this.#send(from, { kind: 'reply', id, value });
  }

  #fail({ from, id }: Request, error: RuntimeError): void {
    this.#send(from, { kind: 'error', id, error: toWireError(error) });
  }
}

function labelOf({ exportName, name }: ActorSpec): string {
  const what = exportName === '' ? 'task worker' : exportName;
  return name === undefined ? what : `${what} "${name}"`;
}

function refOf(actor: ActorRecord): ActorRef | undefined {
  const { state } = actor;
  if (state.phase !== 'alive') return undefined;
  return new ActorRef(actor.id, state.claim.node, actor.label, state.address);
}
