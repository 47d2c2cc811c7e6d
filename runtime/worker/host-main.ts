/** Entry of a host process; the agent starts it. */

import { Host, type HostOptions } from './host.js';
import { dieWithParent } from './parent-death.js';

const { PATCHBAY_HOST, PATCHBAY_TOKEN } = process.env;
if (!PATCHBAY_HOST || !PATCHBAY_TOKEN) {
  console.error('host-main is started by an agent, not by hand');
  process.exit(2);
}
const settings = JSON.parse(PATCHBAY_HOST) as Omit<HostOptions, 'token'>;
// The actor's code and its children have no business with the cluster's token.
delete process.env['PATCHBAY_TOKEN'];
delete process.env['PATCHBAY_HOST'];

// Leaving threads inside native code would abort with a core dump; an orphan just goes, and its group with it.
const die = (): void => {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
};
process.on('SIGTERM', die);
void dieWithParent();
new Host({ ...settings, token: PATCHBAY_TOKEN }, die);
