/**
 * One patch of a grid that many actors compute together. Each owns some rows, tells the others what they need of them,
 * its borders, and reads theirs at a fixed age. It knows nothing of what the rows mean.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ActorHandle, context } from '../../runtime/index.js';
import { ActorsError } from '../errors.js';
import { VersionedMailbox } from '../versioned-mailbox.js';
import { BorderHistory, type SentBorder, versionsKept, versionsUnread } from './border-history.js';
import { buddyOf } from './geometry.js';
import type { StepReport } from './step-report.js';

/** How long a border is waited for until its sender is asked whether it was lost, and again. */
const askAgainMs = 1_000;

/** What the others may call. */
export interface PatchPeer<Border extends ArrayBufferView> {
  /** On the latest-wins lane. Resolves when the border was read or dropped. */
  border(job: string, from: number, version: number, border: Border): Promise<void>;
  /** On the latest-wins lane: keep a neighbour's checkpoint. */
  keepCheckpoint(job: string, of: number, checkpoint: Checkpoint): void;
  /** On the latest-wins lane: patch `to` has waited long for this version. */
  sendAgain(job: string, to: number, version: number): void;
}

export type PatchHandle<Border extends ArrayBufferView> = ActorHandle<PatchPeer<Border>>;

/** A patch's rows after a step, as its subclass wrote them, and the borders that may not have arrived everywhere. */
export interface Checkpoint {
  readonly step: number;
  readonly rows: unknown;
  readonly sent: readonly SentBorder<ArrayBufferView>[];
}

export interface PatchSettings {
  /** Tells one piece of work from the next: borders of another job are ignored. @default '' */
  readonly job?: string;
  readonly patch: number;
  readonly patches: number;
  /**
   * 0 reads the borders of the same step (synchronous), 1 those of the step before (displaced); the most of all steps, where
   * they differ.
   */
  readonly age: number;
  /**
   * Whether a step's borders are known before it is computed (`input`: rows of the grid) or come out of it (`output`:
   * activations). Borders of the output have at least age 1.
   */
  readonly borderOf: 'input' | 'output';
  /** When a border that is older than its age will do. @default never: every border is waited for */
  readonly lateness?: Lateness;
}

/** What a patch does not depend on timing for any more: late borders are counted in its reports. */
export interface Lateness {
  /** How long a border is waited for, milliseconds. */
  readonly deadlineMs: number;
  /** Steps that one may be older than its age. Where none is young enough, the patch goes on waiting. */
  readonly maxSteps: number;
}

/** What a patch holds for one job. */
interface Work<Border extends ArrayBufferView> {
  readonly settings: PatchSettings;
  readonly mailbox: VersionedMailbox<Border>;
  readonly checkpoints: Map<number, Checkpoint>;
  readonly peers: Map<number, PatchHandle<Border>>;
  readonly history: BorderHistory<Border>;
  /** The step that comes next. */
  next: number;
}

export abstract class PatchActor<Border extends ArrayBufferView> implements PatchPeer<Border> {
  #work: Work<Border> | undefined;
  #running = false;

  /** Take up a job; what is left of the one before is dropped. All patches begin before any runs. */
  protected begin(settings: PatchSettings): void {
    const { patch, patches, age, borderOf, lateness } = settings;
    if (this.#running) throw new ActorsError('E_PATCH_STATE', 'this patch runs already');
    if (age < (borderOf === 'input' ? 0 : 1)) {
      throw new ActorsError('E_GEOMETRY', `borders of the ${borderOf} cannot have age ${age}`);
    }
    if (!(patch >= 0 && patch < patches)) {
      throw new ActorsError('E_GEOMETRY', `there is no patch ${patch} among ${patches}`);
    }
    this.#work = {
      settings,
      // Patches that do not always wait for each other are further apart.
      mailbox: new VersionedMailbox({ keep: versionsKept(age + (lateness?.maxSteps ?? 0)) + 1 }),
      checkpoints: new Map(),
      peers: new Map(),
      history: new BorderHistory(this.#isRestorable ? versionsKept(age) : versionsUnread(age)),
      next: 0,
    };
  }

  /** @throws ActorsError `E_PATCH_STATE` before `begin`. */
  protected get settings(): PatchSettings {
    return this.#current.settings;
  }

  get #current(): Work<Border> {
    if (!this.#work) throw new ActorsError('E_PATCH_STATE', 'this patch has no job yet');
    return this.#work;
  }

  /** Whose borders the step reads; none in steps that need no exchange. */
  protected abstract needs(step: number): readonly number[];

  /** Who reads this patch's borders of the step. */
  protected abstract readers(step: number): readonly number[];

  /** How many steps old the borders are that this step reads. @default the patch's age, in every step */
  protected ageOf(_step: number): number {
    return this.settings.age;
  }

  /** When an older border will do in this step. @default as in all steps */
  protected latenessOf(_step: number): Lateness | undefined {
    return this.settings.lateness;
  }

  /**
   * Which of several sequences of borders the step's belongs to: within one, versions are read in the order in which they
   * were made. @default 0, there is one
   */
  protected sequenceOf(_step: number): number {
    return 0;
  }

  /** What `to` needs of this patch. Called before or after `advance`, as `borderOf` says. */
  protected abstract borderFor(to: number, step: number): Border;

  /** Compute one step. @param ages By sender, how many steps old its border is: the patch's age, or more if it is late. */
  protected abstract advance(
    step: number,
    borders: ReadonlyMap<number, Border>,
    ages: ReadonlyMap<number, number>,
  ): void | Promise<void>;

  /** The rows as they stand, for the buddy to keep; undefined keeps nothing. */
  protected checkpoint(): unknown {
    return undefined;
  }

  /** Continue from rows that `checkpoint` returned. */
  protected restore(_rows: unknown): void {
    throw new ActorsError('E_PATCH_STATE', 'this patch cannot be restored');
  }

  /** Make the other patches known, before the first step. One that resumed sends them what they may lack. */
  link(peers: readonly PatchHandle<Border>[]): void {
    const { peers: known, history } = this.#current;
    peers.forEach((peer, patch) => {
      if (patch !== this.settings.patch) known.set(patch, peer);
    });
    for (const sent of history.from(0)) this.#send(sent);
  }

  /**
   * A patch lives elsewhere now and goes on with `step`: send again what it needs.
   *
   * @throws ActorsError `E_VERSION_GONE` if that is not remembered any more.
   */
  relink(patch: number, peer: PatchHandle<Border>, step: number): void {
    const { peers, history, settings } = this.#current;
    peers.set(patch, peer);
    for (const sent of history.since(patch, Math.max(0, step - settings.age))) this.#send(sent);
  }

  border(job: string, from: number, version: number, border: Border): Promise<void> {
    const work = this.#work;
    if (!work || (work.settings.job ?? '') !== job) return Promise.resolve();
    return work.mailbox.put(this.#slotOf(from, version), version, border);
  }

  keepCheckpoint(job: string, of: number, checkpoint: Checkpoint): void {
    const work = this.#work;
    if (work && (work.settings.job ?? '') === job) work.checkpoints.set(of, checkpoint);
  }

  sendAgain(job: string, to: number, version: number): void {
    const work = this.#work;
    if (!work || (work.settings.job ?? '') !== job) return;
    const sent = work.history.get(to, version);
    if (sent) this.#send(sent);
  }

  /** The last checkpoint kept for another patch. */
  checkpointOf(patch: number): Checkpoint | undefined {
    return this.#current.checkpoints.get(patch);
  }

  /** Take over from a checkpoint, before `link`. */
  resume(checkpoint: Checkpoint): void {
    this.restore(checkpoint.rows);
    const { history } = this.#current;
    for (const sent of checkpoint.sent) history.add(sent as SentBorder<Border>);
    this.#current.next = checkpoint.step + 1;
  }

  /** The step that `run` has to go on with. */
  nextStep(): number {
    return this.#current.next;
  }

  /**
   * Compute the steps [first, end), reporting each. Stops between steps when the caller aborts.
   *
   * @throws ActorsError `E_PATCH_STATE` if it runs already or is not linked.
   */
  async *run(first: number, end: number): AsyncGenerator<StepReport> {
    const { patch, patches, borderOf } = this.settings;
    if (this.#running) throw new ActorsError('E_PATCH_STATE', 'this patch runs already');
    if (this.#current.peers.size !== patches - 1) {
      throw new ActorsError('E_PATCH_STATE', 'link() the other patches first');
    }
    const call = context();
    const { signal } = call;
    this.#running = true;
    try {
      for (let step = first; step < end && !signal.aborted; step++) {
        let bytesOut = borderOf === 'input' ? this.#publish(step) : 0;
        const asked = performance.now();
        const { borders, ages } = await this.#collect(step, signal);
        const started = performance.now();
        if (borders.size > 0) call.span('wait for borders', asked);
        await this.advance(step, borders, ages);
        call.span('advance', started);
        const computeMs = performance.now() - started;
        if (borderOf === 'output') bytesOut = this.#publish(step);
        this.#current.next = step + 1;
        this.#saveCheckpoint(step);
        yield {
          patch,
          step,
          computeMs,
          waitMs: started - asked,
          bytesIn: [...borders.values()].reduce((sum, border) => sum + border.byteLength, 0),
          bytesOut,
          age: ages.size > 0 ? Math.max(...ages.values()) : undefined,
          late: [...ages.values()].filter((age) => age > this.#ageAt(step)).length,
        };
        // A step may block its thread throughout: let messages in before the next one.
        await nextTurn();
      }
    } finally {
      this.#running = false;
    }
  }

  async #collect(
    step: number,
    signal: AbortSignal,
  ): Promise<{ borders: Map<number, Border>; ages: Map<number, number> }> {
    const wanted = step - this.#ageAt(step);
    const { mailbox } = this.#current;
    const lateness = this.latenessOf(step);
    const take = (slot: string): Promise<{ readonly version: number; readonly value: Border }> =>
      lateness
        ? mailbox.takeNotLater(slot, wanted, {
            deadlineMs: lateness.deadlineMs,
            maxAge: lateness.maxSteps,
            signal,
          })
        : mailbox.take(slot, wanted, { signal }).then((value) => ({ version: wanted, value }));
    // All at once: one deadline for the step, not one after another.
    const taken = await Promise.all(
      this.needs(step).map(async (from) => {
        // A connection that broke may have taken it along.
        const asking = setInterval(() => this.#askAgain(from, wanted), askAgainMs);
        try {
          return { from, ...(await take(this.#slotOf(from, wanted))) };
        } finally {
          clearInterval(asking);
        }
      }),
    );
    const borders = new Map(taken.map(({ from, value }) => [from, value]));
    const ages = new Map(taken.map(({ from, version }) => [from, step - version]));
    return { borders, ages };
  }

  #askAgain(from: number, version: number): void {
    const { job = '', patch } = this.settings;
    this.#current.peers.get(from)?.latest('ask').sendAgain(job, patch, version);
  }

  /** Before its first version exists, a border is read as fresh as it comes. */
  #ageAt(step: number): number {
    return Math.min(step, this.ageOf(step));
  }

  #slotOf(from: number, version: number): string {
    return `${from}.${this.sequenceOf(version)}`;
  }

  /** Bytes that left. */
  #publish(step: number): number {
    let bytes = 0;
    for (const to of this.readers(step)) {
      const border = this.borderFor(to, step);
      bytes += border.byteLength;
      const sent = { to, version: step, border };
      this.#current.history.add(sent);
      this.#send(sent);
    }
    return bytes;
  }

  /** Without checkpoints nobody can be replaced. */
  get #isRestorable(): boolean {
    return this.checkpoint !== PatchActor.prototype.checkpoint;
  }

  #send({ to, version, border }: SentBorder<Border>): void {
    const { job = '', patch, age, lateness } = this.settings;
    // So many that none is ever replaced unsent: a reader waits for each.
    const credits = versionsKept(age + (lateness?.maxSteps ?? 0));
    this.#current.peers.get(to)?.latest('border', { credits }).border(job, patch, version, border);
  }

  #saveCheckpoint(step: number): void {
    const { job = '', patch, patches, age } = this.settings;
    const buddy = this.#current.peers.get(buddyOf(patch, patches) ?? patch);
    const rows = buddy ? this.checkpoint() : undefined;
    if (rows === undefined) return;
    const sent = this.#current.history.from(step - 2 * age);
    buddy?.latest('checkpoint').keepCheckpoint(job, patch, { step, rows, sent });
  }
}
