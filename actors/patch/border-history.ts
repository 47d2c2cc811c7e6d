/** The last borders sent to each reader, to be sent again if a reader has to be replaced. */

export interface SentBorder<Border> {
  readonly version: number;
  readonly border: Border;
}

export interface BorderHistory<Border> {
  add(to: number, version: number, border: Border): void;
  /** What was sent to `to` from `version` on, oldest first. */
  since(to: number, version: number): readonly SentBorder<Border>[];
}

/** A reader can lag by one step and its checkpoint by another, beyond the age. */
export function newBorderHistory<Border>(age: number): BorderHistory<Border> {
  const keep = age + 3;
  const sent = new Map<number, SentBorder<Border>[]>();
  return {
    add(to, version, border) {
      const list = sent.get(to) ?? [];
      sent.set(to, list);
      list.push({ version, border });
      if (list.length > keep) list.shift();
    },
    since: (to, version) => (sent.get(to) ?? []).filter((entry) => entry.version >= version),
  };
}
