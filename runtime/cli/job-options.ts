/** What a user writes after `patchbay job submit`, as a job. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { JobOptions } from '../client/jobs.js';
import { RuntimeError } from '../errors.js';
import type { Resources } from '../resources.js';

export interface SubmitOptions {
  readonly id?: string;
  readonly cwd?: string;
  readonly env?: readonly string[];
  readonly resources?: string;
  readonly labelSelector?: string;
  readonly metadata?: string;
  readonly module?: string;
  readonly export?: string;
  readonly args?: string;
}

/** @throws RuntimeError `E_OPTION`. */
export function jobOf(words: readonly string[], options: SubmitOptions): JobOptions {
  const { id, resources, labelSelector, metadata, module } = options;
  const common = {
    ...(id === undefined ? {} : { id }),
    ...(resources === undefined
      ? {}
      : { resources: objectOf<number>('--resources', resources, 'number') as Resources }),
    ...(labelSelector === undefined
      ? {}
      : { labelSelector: objectOf<string>('--label-selector', labelSelector, 'string') }),
    ...(metadata === undefined
      ? {}
      : { metadata: objectOf<string>('--metadata', metadata, 'string') }),
  };
  return module === undefined
    ? { ...common, ...commandOf(words, options) }
    : { ...common, ...moduleOf(words, module, options) };
}

function commandOf(
  words: readonly string[],
  { cwd, env = [], export: exportName, args }: SubmitOptions,
): { command: string; cwd?: string; env: Readonly<Record<string, string>> } {
  if (exportName !== undefined || args !== undefined) {
    throw new RuntimeError('E_OPTION', '--export and --args belong to --module');
  }
  if (words.length === 0) {
    throw new RuntimeError('E_OPTION', 'nothing to run: write -- <command...>, or --module FILE');
  }
  // One word is a line for the shell; several are a program and its arguments, which stay as they are.
  const command = words.length === 1 ? words[0]! : words.map(quoted).join(' ');
  return { command, env: Object.fromEntries(env.map(pair)), ...(cwd === undefined ? {} : { cwd }) };
}

function moduleOf(
  words: readonly string[],
  module: string,
  { cwd, env, export: exportName, args }: SubmitOptions,
): { module: URL; export?: string; args?: readonly unknown[] } {
  if (words.length > 0) throw new RuntimeError('E_OPTION', 'give a command or --module, not both');
  if (cwd !== undefined || env !== undefined) {
    throw new RuntimeError('E_OPTION', '--cwd and --env belong to a command: a module has --args');
  }
  return {
    module: pathToFileURL(resolve(module)),
    ...(exportName === undefined ? {} : { export: exportName }),
    ...(args === undefined ? {} : { args: listOf(args) }),
  };
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new RuntimeError('E_OPTION', `--env ${text} is not of the form NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function listOf(text: string): readonly unknown[] {
  const value = jsonOf('--args', text);
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new RuntimeError('E_OPTION', '--args must be a list in JSON, such as [1, "two"]');
}

function objectOf<Value>(
  option: string,
  text: string,
  type: 'number' | 'string',
): Readonly<Record<string, Value>> {
  const value = jsonOf(option, text);
  const isRecord =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === type);
  if (isRecord) return value as Readonly<Record<string, Value>>;
  throw new RuntimeError('E_OPTION', `${option} must be an object of ${type}s in JSON`);
}

function jsonOf(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RuntimeError('E_OPTION', `${option} is not JSON: ${text}`, { cause });
  }
}
