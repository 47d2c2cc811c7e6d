/**
 * The head's side of logs: remembers the last lines of every actor and job, passes lines on to the driver or job that an
 * actor works for, and to those who read along. Whoever reads too slowly misses lines and is told how many.
 */

import { RuntimeError, toWireError } from '../errors.js';
import type { ActorRecord, HeadState } from '../head/state.js';
import type { ActorId, JobId, ProcessId } from '../ids.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Message, MessageOf } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { streamWindow } from '../wire/stream.js';
import { droppedText } from './actor-log.js';
import { logText } from './driver-logs.js';
import { jobBookLimits, LogBook } from './log-book.js';
import {
  isJobSource,
  type JobSource,
  jobOf,
  jobSource,
  type LogBatch,
  type LogSource,
  type OutputLine,
} from './reports.js';

/** What is watched. */
export interface HeadView {
  /** As it is now. */
  readonly state: () => HeadState;
  readonly endpoint: Pick<Endpoint, 'peers' | 'roleOf'>;
}

interface Driver {
  /** Characters sent and not taken yet. */
  underWay: number;
  /** How many lines of an actor were not sent because too much was under way; the batch has none. */
  readonly missed: Map<LogSource, { readonly lines: number; readonly batch: LogBatch }>;
}

interface Reader {
  readonly peer: Peer;
  readonly id: number;
  readonly actor: LogSource;
  window: number;
  missed: number;
}

/** An owner may have an owner; nobody nests deeper than this. */
const maxDepth = 64;
const maxUnderWay = 4 * 1024 * 1024;
const flushMs = 500;

export class LogHub {
  readonly #head: HeadView;
  readonly #book = new LogBook();
  readonly #jobBook = new LogBook(jobBookLimits);
  readonly #drivers = new Map<Peer, Driver>();
  readonly #readers = new Set<Reader>();
  /** Drivers and jobs by actor, as found lately. */
  readonly #routes = new Map<ActorId, Peer | JobSource>();

  constructor(head: HeadView) {
    this.#head = head;
  }

  /** Whether the message was the hub's business. */
  serve(peer: Peer, message: Message): boolean {
    switch (message.kind) {
      case 'log.lines':
        this.#lines(message);
        peer.send({ kind: 'reply', id: message.id, value: null });
        return true;
      case 'log.want':
        if (message.wanted) this.#drivers.set(peer, { underWay: 0, missed: new Map() });
        else this.#drivers.delete(peer);
        this.#routes.clear();
        return true;
      case 'log.flush':
        void this.#flush(peer, message.id);
        return true;
      case 'log.read':
        this.#read(peer, message);
        return true;
      case 'cancel':
      case 'stream.credit':
        return this.#control(peer, message);
      default:
        return false;
    }
  }

  left(peer: Peer): void {
    this.#drivers.delete(peer);
    this.#routes.clear();
    for (const reader of this.#readers) if (reader.peer === peer) this.#readers.delete(reader);
  }

  /** The state may have changed: who reads what a dead actor wrote has read it all. */
  settle(): void {
    for (const reader of this.#readers) {
      if (this.#isDead(reader.actor)) this.#end(reader);
    }
  }

  tidy(): void {
    this.#routes.clear();
    this.#book.tidy((actor) => this.#isDead(actor));
    this.forgetJobs();
    this.#jobBook.tidy((job) => this.#isDead(job));
  }

  /** Their ids may be given again, to jobs that have printed nothing yet. */
  forgetJobs(): void {
    this.#jobBook.forget((job) => !this.#isKnown(job));
  }

  #isKnown(source: LogSource): boolean {
    return isJobSource(source) && this.#head.state().jobs.has(jobOf(source));
  }

  #isDead(actor: LogSource): boolean {
    if (isJobSource(actor)) {
      return (this.#head.state().jobs.get(jobOf(actor))?.state.phase ?? 'ended') === 'ended';
    }
    return (this.#head.state().actors.get(actor)?.state.phase ?? 'dead') === 'dead';
  }

  #lines({ actor, label, node, lines }: LogBatch): void {
    this.#keep(actor, lines);
    if (isJobSource(actor)) return;
    const route = this.#routes.get(actor) ?? this.#routeOf(actor);
    if (!route) return;
    this.#routes.set(actor, route);
    if (typeof route === 'string') {
      // As a driver prints them.
      const told = lines.map(({ stream, text }) => {
        return { stream, text: logText({ actor, label, node, stream, text }) };
      });
      this.#keep(route, told);
      return;
    }
    const driver = this.#drivers.get(route);
    if (driver) pass(route, driver, { actor, label, node, lines });
  }

  #keep(actor: LogSource, lines: readonly OutputLine[]): void {
    this.#bookOf(actor).add({ actor, lines });
    for (const reader of this.#readers) if (reader.actor === actor) give(reader, lines);
  }

  #bookOf(source: LogSource): LogBook {
    return isJobSource(source) ? this.#jobBook : this.#book;
  }

  /** Owners may be actors themselves: follow them up to a driver, or to the host in which a job's function runs. */
  #routeOf(actor: ActorId): Peer | JobSource | undefined {
    const state = this.#head.state();
    let record: ActorRecord | undefined = state.actors.get(actor);
    for (let depth = 0; record && depth < maxDepth; depth++) {
      const { owner } = record;
      const peer = this.#head.endpoint.peers.get(owner);
      if (peer && this.#drivers.has(peer)) return peer;
      const job = state.members.get(owner);
      if (job !== undefined && state.jobs.get(job)?.spec.entry.kind === 'module') {
        return jobSource(job);
      }
      record = this.#livingAt(owner);
    }
    return undefined;
  }

  #livingAt(process: ProcessId): ActorRecord | undefined {
    for (const record of this.#head.state().actors.values()) {
      if (record.state.phase === 'alive' && record.state.address.process === process) return record;
    }
    return undefined;
  }

  async #flush(peer: Peer, id: number): Promise<void> {
    const agents = [...this.#head.endpoint.peers.values()].filter(
      (other) => this.#head.endpoint.roleOf(other) === 'agent',
    );
    const signal = AbortSignal.timeout(flushMs);
    await Promise.allSettled(
      agents.map((agent) => agent.request({ kind: 'log.flush' }, { signal })),
    );
    peer.send({ kind: 'reply', id, value: null });
  }

  #read(peer: Peer, { id, actor: text, tail, follow }: MessageOf<'log.read'>): void {
    const actor = this.#find(text);
    if (!actor) {
      const error = isJobSource(text)
        ? new RuntimeError('E_JOB_UNKNOWN', `no job ${jobOf(text)} is known (any more)`)
        : new RuntimeError('E_NAME_UNKNOWN', `no actor with the name or id ${text}`);
      peer.send({ kind: 'error', id, error: toWireError(error) });
      return;
    }
    const reader: Reader = { peer, id, actor, window: streamWindow, missed: 0 };
    const lines = this.#bookOf(actor).tail(actor, tail);
    if (lines.length > 0) give(reader, lines);
    if (follow && !this.#isDead(actor)) this.#readers.add(reader);
    else this.#end(reader);
  }

  /** By id; by name the living one, or else the one that was named so last. */
  #find(text: string): LogSource | undefined {
    const { actors, jobs } = this.#head.state();
    if (isJobSource(text)) return jobs.has(jobOf(text)) ? text : undefined;
    if (actors.has(text as ActorId) || this.#book.has(text as ActorId)) return text as ActorId;
    const named = [...actors.values()].filter(({ spec }) => spec.name === text);
    const found = named.find(({ state }) => state.phase !== 'dead') ?? named.at(-1);
    if (found) return found.id;
    return jobs.has(text as JobId) ? jobSource(text as JobId) : undefined;
  }

  #control(peer: Peer, message: MessageOf<'cancel'> | MessageOf<'stream.credit'>): boolean {
    for (const reader of this.#readers) {
      if (reader.peer !== peer || reader.id !== message.id) continue;
      if (message.kind === 'cancel') this.#readers.delete(reader);
      else reader.window += message.count;
      return true;
    }
    return message.kind === 'stream.credit';
  }

  #end(reader: Reader): void {
    this.#readers.delete(reader);
    if (reader.missed > 0) {
      reader.peer.send({ kind: 'stream.item', id: reader.id, value: [missedLine(reader.missed)] });
    }
    reader.peer.send({ kind: 'stream.end', id: reader.id });
  }
}

/** As long as the driver takes lines: what it misses it is told when it has caught up. */
function pass(peer: Peer, driver: Driver, batch: LogBatch): void {
  const { actor, lines } = batch;
  const size = lines.reduce((sum, { text }) => sum + text.length, 0);
  const missed = driver.missed.get(actor)?.lines ?? 0;
  if (driver.underWay > 0 && driver.underWay + size > maxUnderWay) {
    driver.missed.set(actor, { lines: missed + lines.length, batch: { ...batch, lines: [] } });
    return;
  }
  driver.missed.delete(actor);
  driver.underWay += size;
  const all = missed > 0 ? [missedLine(missed), ...lines] : lines;
  const taken = (): void => {
    driver.underWay -= size;
    for (const late of [...driver.missed.values()]) pass(peer, driver, late.batch);
  };
  // A driver that is gone misses nothing.
  peer.request({ kind: 'log.lines', ...batch, lines: all }).then(taken, () => undefined);
}

function give(reader: Reader, lines: readonly OutputLine[]): void {
  if (reader.window <= 0) {
    reader.missed += lines.length;
    return;
  }
  const value = reader.missed > 0 ? [missedLine(reader.missed), ...lines] : lines;
  reader.missed = 0;
  reader.window--;
  reader.peer.send({ kind: 'stream.item', id: reader.id, value });
}

const missedLine = (lines: number): OutputLine => ({ stream: 'stderr', text: droppedText(lines) });
