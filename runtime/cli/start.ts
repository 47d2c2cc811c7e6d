/** `patchbay start`: a head, or a node that joins one, in the foreground until it is told to stop. */

import { availableParallelism, networkInterfaces } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { RuntimeError } from '../errors.js';
import { defaultPort, Head } from '../head/head.js';
import type { Labels } from '../labels.js';
import { newLogger } from '../log.js';
import type { Resources } from '../resources.js';
import { ensureToken, tokenFile } from '../token.js';
import { localAddressTowards } from '../wire/local-address.js';
import type { Gpu } from '../wire/messages.js';
import type { TlsOptions } from '../wire/tls.js';
import { Agent } from '../worker/agent.js';
import { declaredGpus, detectGpus } from '../worker/gpus.js';
import { type JournalOptions, journalFolder, openJournal } from './journal-place.js';
import { enlist } from './machine.js';
import { readToken } from './options.js';

/** What a program that has these commands adds to the start of a node. */
export interface StartExtras {
  /** Labels that the program knows of for a node; those that the user gives prevail. @default none */
  readonly labelsOf?: (gpus: readonly Gpu[]) => Promise<Labels>;
}

interface StartOptions extends JournalOptions, StartExtras {
  readonly head?: true;
  readonly reconnectTimeout?: number;
  readonly host?: string;
  readonly port?: number;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly name?: string;
  readonly cpus?: number;
  readonly gpus?: number;
  readonly resources?: Resources;
  readonly labels?: Labels;
  readonly objectStore?: number;
}

export function addStart(program: Command, extras: StartExtras): void {
  program
    .command('start')
    .description('start a head, or a worker node that joins one; runs until stopped')
    .option(
      '--head',
      'start a head; with --cpus, --gpus, --resources, --labels or --name also a node here',
    )
    .option('--host <address>', 'interface to listen on (default: 127.0.0.1, nobody else can join)')
    .option(
      '--port <number>',
      `port of the head, 0 for a free one (default: ${defaultPort})`,
      count,
    )
    .option(
      '--address <url>',
      'join the head at ws://host:port or wss://host:port (default: PATCHBAY_ADDRESS)',
    )
    .option(
      '--token-file <file>',
      `file with the token (default: ${tokenFile()}, or PATCHBAY_TOKEN)`,
    )
    .option(
      '--journal <place>',
      `where the head keeps the cluster, in case it is killed: a folder, or redis://host:port?name=NAME (default: PATCHBAY_JOURNAL, or ${journalFolder('PORT')})`,
    )
    .option('--no-journal', 'if the head is killed, the cluster has ended (default with --port 0)')
    .option('--fresh', 'forget the cluster of a head that was killed here')
    .option(
      '--reconnect-timeout <seconds>',
      'how long a node waits for a head that was killed to be started again (default: 60)',
      amount,
    )
    .option('--tls-cert <file>', 'certificate that the head, or the hosts of a node, show (PEM)')
    .option('--tls-key <file>', 'its key (PEM)')
    .option(
      '--tls-ca <file>',
      'authorities that a head at wss:// is believed by (PEM; default: PATCHBAY_TLS_CA)',
    )
    .option('--name <name>', 'name of the node')
    .option('--cpus <number>', 'processors the node offers (default: all)', amount)
    .option('--gpus <number>', 'GPUs the node offers (default: what nvidia-smi finds)', count)
    .option('--resources <json>', 'more resources, such as {"disk": 2}', resources)
    .option('--labels <list>', 'labels of the node, such as zone=eu-1,disk=ssd', labels)
    .option(
      '--object-store <GiB>',
      "shared memory for large objects (default: 30 % of the machine's, at most what /dev/shm has)",
      amount,
    )
    .action((options: StartOptions) => start({ ...options, ...extras }));
}

async function start(options: StartOptions): Promise<void> {
  const address = options.address ?? process.env['PATCHBAY_ADDRESS'];
  if (options.head && options.address) {
    throw new RuntimeError('E_OPTION', 'give --head or --address, not both');
  }
  if (options.head) {
    await startHead(options);
  } else if (address) {
    const token = readToken(options.tokenFile);
    await serve('node', [await startNode(options, address, token)]);
  } else {
    throw new RuntimeError('E_OPTION', 'give --head to start a head, or --address to join one');
  }
}

async function startHead(options: StartOptions): Promise<void> {
  const { host = '127.0.0.1', port = defaultPort, cpus, gpus, name } = options;
  const file = options.tokenFile ?? tokenFile();
  const token = process.env['PATCHBAY_TOKEN'] ?? ensureToken(file);
  const tls = tlsOptions(options);
  const log = newLogger('head');
  const journal = await openJournal(options, port, log);
  const head = await Head.start({
    host,
    port,
    token,
    ...(tls.cert === undefined && tls.key === undefined ? {} : { tls }),
    ...(journal ? { journal } : {}),
    log,
  });
  const url = reachable(head.address.url);
  const source = process.env['PATCHBAY_TOKEN'] ? 'PATCHBAY_TOKEN' : `${file} (mode 600)`;
  console.log(`Head at ${url}, token in ${source}`);
  console.log(`Dashboard at ${url.replace(/^ws/, 'http')}/, which asks for the token once`);
  console.log(`\nJoin a node on this machine:\n  patchbay start --address ${url}`);
  if (new URL(url).hostname === '127.0.0.1') {
    console.log('\nOther machines cannot join: start with --host 0.0.0.0 to let them.');
  } else {
    console.log(
      `\nOn other machines, paste:\n  PATCHBAY_TOKEN=${token} patchbay start --address ${url}`,
    );
  }
  console.log('\nStop with Ctrl-C or: patchbay stop');
  const withNode = (cpus ?? gpus ?? name ?? options.resources ?? options.labels) !== undefined;
  const node: Started[] = [];
  try {
    if (withNode) node.push(await startNode(options, url, token));
  } catch (error) {
    await head.leave();
    throw error;
  }
  const { ended } = head;
  await serve('head', [...node, { server: head, leave: () => head.leave(), name: url, ended }]);
}

interface Started {
  readonly server: AsyncDisposable;
  /** Instead of its disposal when one of them had to end by itself. */
  readonly leave?: () => Promise<void>;
  readonly name: string;
  readonly ended: Promise<RuntimeError>;
}

async function startNode(options: StartOptions, headUrl: string, token: string): Promise<Started> {
  const { name, cpus = availableParallelism(), resources = {} } = options;
  const { objectStore, reconnectTimeout } = options;
  const gpus = options.gpus === undefined ? await detectGpus() : declaredGpus(options.gpus);
  // The environment may speak of certificates although this head has none.
  const isPlain = !headUrl.startsWith('wss:') && options.tlsCa === undefined;
  const agent = await Agent.start({
    headUrl,
    token,
    ...(isPlain && options.tlsCert === undefined ? {} : { tls: tlsOptions(options) }),
    ...(name === undefined ? {} : { name }),
    ...(reconnectTimeout === undefined ? {} : { reconnectTimeoutMs: reconnectTimeout * 1_000 }),
    resources: { ...resources, cpu: cpus },
    gpus,
    labels: { ...(await options.labelsOf?.(gpus)), ...options.labels },
    ...(objectStore === undefined ? {} : { objectStoreBytes: Math.floor(objectStore * 2 ** 30) }),
    bind: options.head ? '127.0.0.1' : (options.host ?? (await localAddressTowards(headUrl))),
    log: newLogger('agent'),
  });
  const offer = Object.entries({ ...resources, cpu: cpus, gpu: gpus.length });
  const shown = offer.filter(([, units]) => units > 0).map(([what, units]) => `${units} ${what}`);
  console.log(`Node ${agent.name} joined ${headUrl} with ${shown.join(', ')}`);
  for (const gpu of gpus) console.log(`  GPU ${gpu.index}: ${gpu.name}, ${gpu.memoryMb} MB`);
  const ended = agent.ended.then((why) => new RuntimeError('E_PEER_LOST', why));
  return { server: agent, name: agent.name, ended };
}

/** Until told to stop, or until the first server has to end by itself; then all end, in order. */
async function serve(role: 'head' | 'node', servers: readonly Started[]): Promise<void> {
  const delist = enlist(role, servers[0]!.name);
  const told = new Promise<undefined>((resolve) => {
    process.once('SIGINT', () => resolve(undefined));
    process.once('SIGTERM', () => resolve(undefined));
  });
  const why = await Promise.race([told, ...servers.map(({ ended }) => ended)]);
  for (const { server, leave } of servers) {
    if (why && leave) await leave();
    else await server[Symbol.asyncDispose]();
  }
  delist();
  if (why) throw why;
}

/** A head that listens everywhere is reached at this machine's first address. */
function reachable(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  if (hostname !== '0.0.0.0' && hostname !== '[::]') return url;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outer = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  return `${protocol}//${outer?.address ?? '127.0.0.1'}:${port}`;
}

function tlsOptions({ tlsCert: cert, tlsKey: key, tlsCa }: StartOptions): TlsOptions {
  const ca = tlsCa ?? (process.env['PATCHBAY_TLS_CA'] || undefined);
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
  };
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new InvalidArgumentError('Expected a whole number from 0 to 65535.');
  }
  return value;
}

function amount(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

function resources(text: string): Resources {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Resources;
  } catch {
    // Falls through to the same message.
  }
  throw new InvalidArgumentError('Expected JSON such as {"disk": 2}.');
}

function labels(text: string): Labels {
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  if (pairs.every((pair) => pair.length === 2 && pair.every((part) => part !== ''))) {
    return Object.fromEntries(pairs) as Labels;
  }
  throw new InvalidArgumentError('Expected name=value pairs such as zone=eu-1,disk=ssd.');
}
