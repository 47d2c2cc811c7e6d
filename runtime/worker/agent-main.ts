/** Entry of an agent process; an embedded cluster starts it and is told when the node has joined. */

import { newLogger } from '../log.js';
import { serveUntilOrphaned } from '../process.js';
import { Agent, type AgentOptions } from './agent.js';

await serveUntilOrphaned<Omit<AgentOptions, 'log'>>(async (options) => {
  const agent = await Agent.start({ ...options, log: newLogger('agent') });
  return { server: agent, ready: agent.id, ended: agent.ended };
});
