/** The last borders sent to each reader, to be sent again if one is lost or a patch has to be replaced. */

import { ActorsError } from '../errors.js';

export interface SentBorder<Border> {
  readonly to: number;
  readonly version: number;
  readonly border: Border;
}

/**
 * Versions of a border that are remembered, and that may be under way and unread. Patches that run are at most twice the age
 * apart; but the checkpoint that a replaced patch starts from may lag, and all since then is sent to it at once.
 */
export const versionsKept = (age: number): number => 2 * age + 16;

/** The same where nobody is replaced. */
export const versionsUnread = (age: number): number => 2 * age + 2;

export class BorderHistory<Border> {
  readonly #keep: number;
  readonly #sent = new Map<number, SentBorder<Border>[]>();
  /** Newest version that was forgotten, by reader. */
  readonly #forgotten = new Map<number, number>();

  /** @param keep Versions of each reader. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Sent again, a version takes its former place. */
  add(entry: SentBorder<Border>): void {
    const { to, version } = entry;
    const list = (this.#sent.get(to) ?? []).filter((sent) => sent.version !== version);
    list.push(entry);
    list.sort((a, b) => a.version - b.version);
    if (list.length > this.#keep) this.#forgotten.set(to, list.shift()!.version);
    this.#sent.set(to, list);
  }

  /**
   * What was sent to `to` from `version` on, oldest first.
   *
   * @throws ActorsError `E_VERSION_GONE` if some of it is forgotten.
   */
  since(to: number, version: number): readonly SentBorder<Border>[] {
    const forgotten = this.#forgotten.get(to);
    if (forgotten !== undefined && forgotten >= version) {
      const text = `borders for patch ${to} are needed from version ${version}, kept from ${forgotten + 1}`;
      throw new ActorsError('E_VERSION_GONE', text);
    }
    return (this.#sent.get(to) ?? []).filter((sent) => sent.version >= version);
  }

  /** Undefined if it was not sent yet, or is forgotten. */
  get(to: number, version: number): SentBorder<Border> | undefined {
    return this.#sent.get(to)?.find((sent) => sent.version === version);
  }

  /** What was sent to anybody from `version` on, as far as it is remembered. */
  from(version: number): readonly SentBorder<Border>[] {
    return [...this.#sent.values()].flat().filter((sent) => sent.version >= version);
  }
}
