#!/usr/bin/env node
/** The `patchbay` command: the runtime's commands and those that make images. */

import { readFileSync } from 'node:fs';
import { newProgram, runProgram } from '../../runtime/cli/index.js';
import { addGenerate } from './generate.js';
import { addModel } from './model.js';
import { providerLabels } from './provider-labels.js';
import { addServe } from './serve.js';
import { addSimulate } from './simulate.js';

const packageFile = new URL('../../../package.json', import.meta.url);
const { version, description } = JSON.parse(readFileSync(packageFile, 'utf8')) as {
  version: string;
  description: string;
};

const program = newProgram(description, version, { labelsOf: providerLabels });
addGenerate(program);
addServe(program);
addModel(program);
addSimulate(program);
process.exitCode = await runProgram(program, process.argv.slice(2));
