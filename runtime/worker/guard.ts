/**
 * What outlives an agent that is killed: one small shell that then ends the agent's hosts, with all they started, and
 * removes the node's folders. A host would notice by itself, unless its code holds its thread.
 */

import { type ChildProcess, spawn } from 'node:child_process';

// Lines `+ pid` and `- pid` keep the list of hosts; the end of the input is the end of the agent.
const script = `
trap '' INT TERM HUP
pids=' '
while read -r sign pid; do
  case "$sign" in
    +) pids="$pids$pid " ;;
    -) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null; done
rm -rf -- "$@"
`;

export class Guard {
  readonly #shell: ChildProcess;

  /** @param folders Removed when the agent is gone. */
  constructor(folders: readonly string[]) {
    this.#shell = spawn('/bin/sh', ['-c', script, 'patchbay-guard', ...folders], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // Where there is no shell, hosts notice by themselves.
    this.#shell.on('error', () => undefined);
    this.#shell.stdin?.on('error', () => undefined);
    this.#shell.unref();
  }

  started(pid: number): void {
    this.#shell.stdin?.write(`+ ${pid}\n`);
  }

  ended(pid: number): void {
    this.#shell.stdin?.write(`- ${pid}\n`);
  }

  /** The agent ends in peace: the guard has nothing left to do. */
  async dismiss(): Promise<void> {
    const shell = this.#shell;
    if (shell.pid === undefined || shell.exitCode !== null) return;
    const exited = new Promise<void>((resolve) => shell.once('exit', () => resolve()));
    shell.stdin?.end();
    await exited;
  }
}
