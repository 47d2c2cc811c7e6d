/** What the head is asked and told of jobs. */

import type { ProcessId } from '../ids.js';
import type { JobMessage } from '../wire/messages.js';
import { jobList } from './job-status.js';
import {
  deleteJob,
  endJob,
  jobOf,
  jobStarted,
  joinJob,
  killJob,
  submitJob,
  tellJob,
  waitForJob,
} from './jobs.js';
import type { Turn } from './turn.js';

export type ToHeadOfJobs = Exclude<
  JobMessage,
  { readonly kind: 'job.start' | 'job.stop' | 'job.over' }
>;

export function serveJob(turn: Turn, from: ProcessId, message: ToHeadOfJobs): void {
  switch (message.kind) {
    case 'job.submit':
      submitJob(turn, { from, id: message.id }, message);
      return;
    case 'job.list':
      turn.reply({ from, id: message.id }, jobList(turn.state, turn.at));
      return;
    case 'job.status':
      tellJob(turn, { from, id: message.id }, message.job);
      return;
    case 'job.wait':
      waitForJob(turn, { from, id: message.id }, message.job);
      return;
    case 'job.kill':
      killJob(turn, { from, id: message.id }, message.job);
      return;
    case 'job.delete':
      deleteJob(turn, { from, id: message.id }, message.job);
      return;
    case 'job.join':
      joinJob(turn, { from, id: message.id }, message.job);
      return;
    case 'job.started':
      jobStarted(turn, message);
      return;
    case 'job.exited': {
      const job = jobOf(turn, message);
      if (job && 'claim' in job.state) endJob(turn, job, message.end);
      return;
    }
  }
}
