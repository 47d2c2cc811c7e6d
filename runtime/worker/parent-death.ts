/** Asks the kernel to end this process with its parent, also while its own code holds its thread. */

/** `PR_SET_PDEATHSIG` of Linux. */
const setParentDeathSignal = 1;
const sigkill = 9;

/** Does nothing on other systems, or where koffi has no binary: the agent's guard ends its hosts there. */
export async function dieWithParent(): Promise<void> {
  if (process.platform !== 'linux') return;
  const parent = process.ppid;
  try {
    const { default: koffi } = await import('koffi');
    const prctl = koffi.load('libc.so.6').func('int prctl(int, ulong, ulong, ulong, ulong)');
    prctl(setParentDeathSignal, sigkill, 0, 0, 0);
  } catch {
    return;
  }
  // The parent may have died just before.
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}
