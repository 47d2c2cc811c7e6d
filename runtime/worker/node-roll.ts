/** What lives on a node and how the last of it ended: what its agent tells a head that was restarted. */

import type { ActorId, JobId, NodeId } from '../ids.js';
import type { ActorExit, JobExit, LivingActor, LivingJob } from '../wire/living.js';
import type { Message, MessageOf } from '../wire/messages.js';

/** A head that was killed may have missed the last exits that it was told of; these are more than it can have. */
const maxExits = 1_000;
/** No more than the head remembers, and of all their results no more characters than these. */
const maxJobExits = 200;
const maxResults = 16 * 2 ** 20;
const noBytes = new Uint8Array();

export class NodeRoll {
  readonly #actors = new Map<ActorId, LivingActor>();
  readonly #jobs = new Map<JobId, LivingJob>();
  /** Oldest first. */
  readonly #exits: ActorExit[] = [];
  readonly #jobExits = new Map<JobId, JobExit>();

  begins({ kind: _, snapshot: _s, spec, ...start }: MessageOf<'actor.start'>): void {
    this.#actors.set(start.actor, { ...start, spec: { ...spec, args: noBytes } });
  }

  jobBegins({ job, submittedAt }: MessageOf<'job.start'>): void {
    // An id that was free again may be that of another job.
    this.#jobExits.delete(job);
    this.#jobs.set(job, { job, submittedAt, members: [], isStarted: false });
  }

  /** What the head is told meanwhile. */
  told(message: Message): void {
    switch (message.kind) {
      case 'actor.alive': {
        const { actor, address } = message;
        const living = this.#actors.get(actor);
        if (living) this.#actors.set(actor, { ...living, address });
        return;
      }
      case 'actor.exited': {
        const { actor, cause } = message;
        const restarts = this.#actors.get(actor)?.restarts ?? 0;
        this.#actors.delete(actor);
        this.#exits.push({ actor, restarts, cause });
        if (this.#exits.length > maxExits) this.#exits.shift();
        return;
      }
      case 'job.started': {
        const { job, submittedAt, members } = message;
        this.#jobs.set(job, { job, submittedAt, members, isStarted: true });
        return;
      }
      case 'job.exited': {
        const { job, submittedAt, end } = message;
        this.#jobs.delete(job);
        this.#jobExits.set(job, { job, submittedAt, end });
        this.#boundJobExits();
        return;
      }
    }
  }

  #boundJobExits(): void {
    let results = 0;
    for (const { end } of this.#jobExits.values()) results += end.result?.length ?? 0;
    for (const [job, { end }] of this.#jobExits) {
      if (this.#jobExits.size <= maxJobExits && results <= maxResults) return;
      this.#jobExits.delete(job);
      results -= end.result?.length ?? 0;
    }
  }

  tell(node: NodeId): MessageOf<'node.rejoin'> {
    return {
      kind: 'node.rejoin',
      node,
      actors: [...this.#actors.values()],
      exits: this.#exits,
      jobs: [...this.#jobs.values()],
      jobExits: [...this.#jobExits.values()],
    };
  }
}
