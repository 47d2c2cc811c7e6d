/** Prints the fastest execution provider that works in a process that may use all GPUs of the machine. */

import { candidatesFor, firstWorking } from './provider.js';

const { provider } = await firstWorking(candidatesFor('auto', true));
console.log(provider);
