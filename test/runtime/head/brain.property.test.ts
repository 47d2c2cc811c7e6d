import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import type { Effect } from '../../../runtime/head/brain.js';
import type { HeadState, NodeRecord } from '../../../runtime/head/state.js';
import type { ActorId, ProcessId } from '../../../runtime/ids.js';
import type { GroupStrategy } from '../../../runtime/wire/actor-spec.js';
import type { Message } from '../../../runtime/wire/messages.js';
import { type Asked, agentOf, HeadScript, starts, stops } from '../../helpers/head-events.js';

const letters = ['a', 'b', 'c'];
const drivers = ['d1', 'd2'] as ProcessId[];
const strategies: readonly GroupStrategy[] = ['pack', 'spread', 'strict-pack', 'strict-spread'];

const amounts = fc.record({
  cpu: fc.integer({ min: 0, max: 3 }),
  gpu: fc.constantFrom(0, 0, 0.25, 0.5, 1, 2),
});

/** What happens, by kind; numbers pick among what is there. */
const event = fc.oneof(
  fc.record({
    do: fc.constant('join' as const),
    node: fc.constantFrom(...letters),
    gpus: fc.nat(2),
  }),
  fc.record({
    do: fc.constant('create' as const),
    driver: fc.constantFrom(...drivers),
    resources: amounts,
    name: fc.option(fc.constantFrom('x', 'y')),
    isTask: fc.boolean(),
    group: fc.option(fc.nat()),
  }),
  fc.record({
    do: fc.constant('group' as const),
    driver: fc.constantFrom(...drivers),
    bundles: fc.array(amounts, { minLength: 1, maxLength: 3 }),
    strategy: fc.constantFrom(...strategies),
  }),
  fc.record({
    do: fc.constantFrom('alive', 'exit', 'kill', 'cancel', 'ungroup', 'verdict', 'tick'),
    pick: fc.nat(),
  }),
  fc.record({
    do: fc.constant('crash' as const),
    /** Nodes whose agents have ended meanwhile, and drivers that have. */
    gone: fc.subarray([...letters, ...drivers]),
    /** Whether those who wait ask again before the nodes are back. */
    askFirst: fc.boolean(),
  }),
  fc.record({ do: fc.constant('leave' as const), who: fc.constantFrom(...letters, ...drivers) }),
);

type Happening = typeof event extends fc.Arbitrary<infer E> ? E : never;

/** A world around the head: agents that obey, and a memory of what they were told. */
class World {
  readonly head = new HeadScript({ maxGraves: 3 });
  /** Hosts that exist, with whether they were told to stop. */
  readonly running = new Map<
    ActorId,
    { readonly agent: ProcessId; stopping: boolean; isUp: boolean }
  >();
  /** By letter; a node that comes back is a new one. */
  readonly #nodes = new Map<string, string>();
  #joined = 0;
  readonly #requests: { readonly from: ProcessId; readonly id: number }[] = [];
  readonly #messages = new Map<number, Message>();
  readonly answered = new Map<number, number>();

  run(list: readonly Happening[]): void {
    for (const one of list) this.#apply(this.#effectsOf(one));
  }

  #effectsOf(one: Happening): readonly Effect[] {
    const { head } = this;
    switch (one.do) {
      case 'join': {
        if (this.#nodes.has(one.node)) return [];
        const name = `${one.node}${this.#joined++}`;
        this.#nodes.set(one.node, name);
        const gpus = ['g0', 'g1'].slice(0, one.gpus).map((gpu) => name + gpu);
        return head.join(name, { cpu: 4 }, gpus);
      }
      case 'create': {
        const groups = [...head.state.groups.keys()];
        const group = one.group === null ? undefined : groups[one.group % groups.length];
        const asked = head.create({
          from: one.driver,
          resources: one.resources,
          ...(one.name === null || one.isTask ? {} : { name: one.name }),
          ...(one.isTask ? { exportName: '' } : {}),
          ...(group ? { bundle: { group, index: 0 } } : {}),
        });
        this.#ask(one.driver, asked);
        return asked.effects;
      }
      case 'group': {
        const asked = head.group(one.bundles, one.strategy, one.driver);
        this.#ask(one.driver, asked);
        return asked.effects;
      }
      case 'crash':
        this.#crash(one.gone, one.askFirst);
        return [];
      case 'leave': {
        if (!letters.includes(one.who)) return head.left(one.who, 'driver');
        const name = this.#nodes.get(one.who);
        this.#nodes.delete(one.who);
        if (!name) return [];
        this.#loseHosts(agentOf(name));
        return head.left(agentOf(name), 'agent');
      }
      case 'tick':
        for (const name of this.#nodes.values()) head.beat(name);
        return head.tick(head.at + 1_000);
      case 'ungroup': {
        const group = pick([...head.state.groups.keys()], one.pick);
        return group ? head.removeGroup(group).effects : [];
      }
      case 'cancel': {
        const request = pick(this.#requests, one.pick);
        if (request) this.#messages.delete(request.id);
        return request ? head.cancel(request.id, request.from) : [];
      }
      case 'alive':
      case 'exit':
      case 'kill':
      case 'verdict':
        return this.#ofActor(one.do, pick([...this.running.keys()], one.pick));
    }
  }

  #ofActor(
    what: 'alive' | 'exit' | 'kill' | 'verdict',
    actor: ActorId | undefined,
  ): readonly Effect[] {
    if (!actor) return [];
    switch (what) {
      case 'alive':
        this.running.get(actor)!.isUp = true;
        return this.head.alive(actor);
      case 'exit':
        this.running.delete(actor);
        return this.head.exited(actor);
      case 'kill':
        return this.head.kill(actor).effects;
      case 'verdict':
        return this.head.verdict(actor).effects;
    }
  }

  #ask(from: ProcessId, { id }: Asked): void {
    this.#requests.push({ from, id });
    this.#messages.set(id, this.head.lastRequest!);
  }

  /** The head ends and starts anew; whoever is left comes back and asks again. */
  #crash(gone: readonly string[], askFirst: boolean): void {
    const { head } = this;
    head.crash();
    const askAgain = (): void => {
      for (const { from, id } of this.#requests) {
        const message = this.#messages.get(id);
        if (message && !this.answered.has(id) && !gone.includes(from)) {
          this.#apply(head.again(from, message).effects);
        }
      }
    };
    for (const driver of drivers) if (!gone.includes(driver)) this.#apply(head.joined(driver));
    if (askFirst) askAgain();
    for (const [letter, name] of [...this.#nodes]) {
      const agent = agentOf(name);
      if (gone.includes(letter)) {
        this.#nodes.delete(letter);
        this.#loseHosts(agent);
        continue;
      }
      const here = [...this.running].filter(([, host]) => host.agent === agent);
      const up = here.filter(([, { isUp }]) => isUp).map(([id]) => id);
      const starting = here.filter(([, { isUp }]) => !isUp).map(([id]) => id);
      this.#apply(head.rejoin(name, up, { starting }));
    }
    if (!askFirst) askAgain();
    // The time of those who are not back passes.
    for (let passed = 0; passed < 61; passed++) {
      for (const name of this.#nodes.values()) head.beat(name);
      this.#apply(head.tick(head.at + 1_000));
    }
  }

  #loseHosts(agent: ProcessId): void {
    for (const [actor, host] of this.running) if (host.agent === agent) this.running.delete(actor);
  }

  #apply(effects: readonly Effect[]): void {
    for (const { to, send } of effects) {
      if (send.kind === 'actor.start') {
        this.running.set(send.actor, { agent: to, stopping: false, isUp: false });
      }
      const host = send.kind === 'actor.stop' ? this.running.get(send.actor) : undefined;
      if (host) host.stopping = true;
      if (send.kind === 'reply' || send.kind === 'error') {
        this.answered.set(send.id, (this.answered.get(send.id) ?? 0) + 1);
      }
    }
  }

  /** Everybody leaves, and every host that was told to stop does. */
  windUp(): void {
    for (const driver of drivers) this.#apply(this.head.left(driver, 'driver'));
    while (this.running.size > 0) {
      const [actor, host] = [...this.running][0]!;
      if (!host.stopping) throw new Error(`${actor} was left running`);
      this.running.delete(actor);
      this.#apply(this.head.exited(actor));
    }
  }
}

const pick = <T>(list: readonly T[], at: number): T | undefined =>
  list[at % Math.max(1, list.length)];

/** What of the state a restart must find again: all but task workers. */
function kept({ nodes, actors, groups, graves }: HeadState): unknown {
  const isKept = (id: ActorId): boolean => actors.get(id)?.spec.exportName !== '';
  return {
    nodes: new Set([...nodes.values()].map(({ id, name, total }) => ({ id, name, total }))),
    actors: new Set(
      [...actors.values()]
        .filter(({ id }) => isKept(id))
        .map(({ id, owner, creator, isEnding, restarts, state }) => ({
          ...{ id, owner, creator, isEnding, restarts },
          state: { ...state, why: undefined },
        })),
    ),
    groups: new Set(
      [...groups.values()].map(({ id, owner, bundles, state }) => ({
        ...{ id, owner, phase: state.phase },
        bundles: bundles.map(({ need, claim }) => ({ need, claim })),
      })),
    ),
    graves: new Set(graves.filter(isKept)),
  };
}

/** Free amounts, GPU by GPU, must be what the claims leave. */
function check(state: HeadState): void {
  for (const node of state.nodes.values()) {
    const claims = claimsOn(state, node);
    for (const [name, total] of Object.entries(node.total)) {
      const taken = claims.reduce((sum, claim) => sum + (claim.need[name] ?? 0), 0);
      const free = node.free[name] ?? 0;
      if (free !== total - taken || free < 0) throw new Error(`${node.name}: ${free} ${name} free`);
    }
    for (const [uuid, free] of node.gpuFree) {
      const taken = claims.reduce((sum, claim) => sum + (claim.gpus.get(uuid) ?? 0), 0);
      if (free !== 10_000 - taken || free < 0) throw new Error(`${uuid}: ${free} free`);
    }
  }
  const names = [...state.actors.values()]
    .filter((actor) => actor.state.phase !== 'dead')
    .flatMap(({ spec }) => spec.name ?? []);
  const asked = [...state.actors.values()]
    .filter(({ state: { phase }, isEnding }) => phase !== 'dead' && !isEnding)
    .map(({ creator }) => `${creator.from} ${creator.id}`);
  if (new Set(asked).size !== asked.length) throw new Error('two actors for one request');
  if (new Set(names).size !== names.length) throw new Error(`two living actors named ${names}`);
}

function claimsOn(state: HeadState, node: NodeRecord) {
  const own = [...state.actors.values()].flatMap((actor) =>
    'claim' in actor.state && !actor.spec.bundle ? [actor.state.claim] : [],
  );
  const bundles = [...state.groups.values()].flatMap((group) =>
    group.bundles.flatMap(({ claim }) => (claim ? [claim] : [])),
  );
  return [...own, ...bundles].filter((claim) => claim.node === node.id);
}

test('whatever happens, resources add up, names are unique, and all returns in the end', (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (list) => {
      const world = new World();
      for (const one of list) {
        world.run([one]);
        check(world.head.state);
        const remembered = world.head.remembered();
        if (!isDeepStrictEqual(kept(remembered), kept(world.head.state))) {
          throw new Error(`the journal does not tell of ${one.do}`);
        }
      }
      world.windUp();
      const { nodes, groups, actors } = world.head.state;
      for (const node of nodes.values()) {
        for (const [name, total] of Object.entries(node.total)) {
          if (node.free[name] !== total) throw new Error(`${node.name} lost ${name}`);
        }
      }
      if (groups.size > 0) throw new Error('a group was left');
      const phases = [...actors.values()].map(({ state }) => state.phase);
      if (phases.some((phase) => phase !== 'dead')) throw new Error(`left: ${phases}`);
      for (const [id, count] of world.answered) {
        if (count > 1) throw new Error(`request ${id} was answered ${count} times`);
      }
    }),
    { numRuns: 1_500 },
  );
  t.pass();
});

test('the property would notice: a freed node starts what waits, a killed one is stopped', (t) => {
  const world = new World();
  const resources = { cpu: 4, gpu: 0 as const };
  const create: Happening = {
    do: 'create',
    driver: drivers[0]!,
    resources,
    name: null,
    isTask: false,
    group: null,
  };

  world.run([{ do: 'join', node: 'a', gpus: 0 }, create, create]);
  t.is(world.running.size, 1);
  const [actor] = world.running.keys();
  t.is(stops(world.head.kill(actor!).effects).length, 1);
  t.is(starts(world.head.exited(actor!)).length, 1);
});
