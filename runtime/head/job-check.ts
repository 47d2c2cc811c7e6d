/** What is wrong with a job as it is submitted, whatever the cluster has. */

import type { JobSpec } from '../wire/job-spec.js';

/** On a command line an id that began with a dash would be taken for an option; a slash would end it in a URL. */
const idShape = /^[A-Za-z0-9][\w.-]{0,99}$/;
/** More does not fit into a process's environment, or is no command. */
const maxCharacters = 128 * 1024;

/** In words; undefined if nothing is. */
export function whyWrong(id: string, { entry, metadata }: JobSpec): string | undefined {
  if (id !== '' && !idShape.test(id)) {
    return 'a job id is made of letters, digits, "_", "." and "-", begins with a letter or digit and has at most 100';
  }
  if (JSON.stringify(metadata).length > maxCharacters) return 'the metadata of a job is too long';
  if (JSON.stringify(entry).length > maxCharacters) {
    return `a job's entry point, environment and arguments may have ${maxCharacters} characters together`;
  }
  if (entry.kind === 'module') return undefined;
  const { command, cwd = '/', env } = entry;
  if (command.trim() === '') return 'the command of a job is empty';
  if (!cwd.startsWith('/')) return `cwd ${cwd} must be an absolute path: it is one of the node`;
  for (const name of Object.keys(env)) {
    if (!/^[A-Za-z_]\w*$/.test(name)) return `env ${name}: no name of an environment variable`;
  }
  const texts = [command, cwd, ...Object.values(env)];
  return texts.some((text) => text.includes('\0'))
    ? 'a command cannot hold a zero byte'
    : undefined;
}
