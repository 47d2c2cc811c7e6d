/** Hosts between two tasks of one module: starting a process anew would cost far more than most tasks do. */

import type { CodeId } from '../ids.js';

/** A host that nobody needs for so long ends. */
const keepMs = 60_000;
/** Of all modules together; the one that waits longest ends first. */
const maxKept = 8;

interface Kept<Host> {
  readonly code: CodeId;
  readonly host: Host;
  readonly timer: NodeJS.Timeout;
}

export class LoadedHosts<Host extends { end(): Promise<void> }> {
  /** Oldest first. */
  readonly #kept: Kept<Host>[] = [];

  keep(code: CodeId, host: Host): void {
    const timer = setTimeout(() => this.#end(host), keepMs);
    timer.unref();
    this.#kept.push({ code, host, timer });
    if (this.#kept.length > maxKept) this.#end(this.#kept[0]!.host);
  }

  /** The one used last: it is the warmest. */
  take(code: CodeId): Host | undefined {
    const found = this.#kept.findLast((kept) => kept.code === code)?.host;
    if (found) this.forget(found);
    return found;
  }

  forget(host: Host): void {
    const place = this.#kept.findIndex((kept) => kept.host === host);
    if (place < 0) return;
    clearTimeout(this.#kept[place]!.timer);
    this.#kept.splice(place, 1);
  }

  #end(host: Host): void {
    this.forget(host);
    void host.end();
  }
}
