/** What `patchbay model inspect` tells of a model: plain text. */

import { table } from '../../runtime/cli/index.js';
import { PcppError } from '../errors.js';
import type { ModelDirectory } from '../model/directory.js';
import { forecastBytes, forecastFresh, publishedDistrifusion } from '../partition/bytes.js';
import { type BorderCut, patchCount, planFresh, planPatches } from '../partition/plan.js';
import type { Wire } from '../partition/wire.js';
import type { GraphSites, Level, NormSite, Site } from '../rewrite/sites.js';
import { joinSites } from '../rewrite/staged.js';
import { samplerNameOf } from '../samplers/create-sampler.js';
import { inBytes } from './progress-bar.js';

export function describeModel(model: ModelDirectory): readonly string[] {
  const { kind, denoiser, sizeMultiple, defaults } = model;
  const size = defaults.width === null ? 'no size' : `${defaults.width}x${defaults.height}`;
  return [
    `${model.root}: ${kind}, ${denoiser.latentChannels} latent channels, sides divisible by ${sizeMultiple}`,
    `asked for nothing: ${size}, ${defaults.steps} steps, guidance ${defaults.guidanceScale}, ${samplerOf(model)}`,
    model.has('vae_encoder')
      ? 'can begin with a picture (--image)'
      : 'cannot begin with a picture: vae_encoder/ is missing',
    ...(model.missingParts.length > 0
      ? [
          `cannot make pictures: ${model.missingParts.map((part) => `${part}/`).join(', ')} are missing; ${model.pixelsPerRow} pixels a latent row`,
        ]
      : []),
  ];
}

/** A scheduler that is not there does not keep the rest from being told. */
function samplerOf(model: ModelDirectory): string {
  try {
    return samplerNameOf(model.scheduler);
  } catch (error) {
    if (error instanceof PcppError) return error.message;
    throw error;
  }
}

export function describeSites(sites: GraphSites, height: number): string {
  const rows = [...sites.borders.map(borderRow), ...sites.norms.map(normRow)];
  const units = height / sites.downsampling;
  const note = `${sites.downsampling} latent rows are the least a device can have, so ${units} devices share ${height} at most`;
  return `\n${table(['site', 'level', 'operators', 'values a row'], rows)}\n${note}`;
}

/** Names that border rules may tell apart. */
export function describeAttention({ borders }: GraphSites): string {
  const names = borders.flatMap((site) => (site.kind === 'attention' ? site.nodes : []));
  return ['\nattention:', ...names.map((name) => `  ${name}`)].join('\n');
}

const levelOf = ({ times, over }: Level): string => (times === over ? '1' : `${times}/${over}`);

function borderRow(site: Site): string[] {
  const { nodes, level, outer, inner, size } = site;
  const shape =
    site.kind === 'attention'
      ? site.payload
      : `${site.kernel}x${site.kernel}, stride ${site.stride}${site.fresh ? ', on the latent' : ''}`;
  const values = `${outer * inner * size}`;
  return [`${site.kind} ${shape}`, levelOf(level), `${nodes.length}`, values];
}

const normRow = ({ nodes, level, groups }: NormSite): string[] => [
  `norm ${groups} groups`,
  levelOf(level),
  `${nodes.length}`,
  '-',
];

interface TrafficOptions {
  readonly devices: readonly number[];
  readonly borders: readonly number[];
  readonly borderCut: BorderCut;
  readonly wire: Wire;
}

/** Bytes that a device receives in a step, by numbers of devices and border fractions. @param stages Of mode sync. */
export function describeTraffic(
  sites: GraphSites,
  stages: readonly GraphSites[],
  height: number,
  { devices, borders, borderCut, wire }: TrafficOptions,
): string {
  const rows = devices.map((patches): string[] => {
    try {
      const plans = borders.map((borderFraction) =>
        planPatches(sites, {
          height,
          width: sites.width,
          batch: sites.batch,
          patches,
          mode: 'pcpp',
          borderFraction,
          borderCut,
          wire,
        }),
      );
      const size = { height, width: sites.width, batch: sites.batch, patches };
      const fresh = forecastFresh(planFresh(joinSites(stages), size));
      const average = (total: number): string => inBytes(Math.round(total / patches));
      const [first] = plans;
      const published = first ? publishedDistrifusion(first) : [];
      const cells = plans.map((plan) => average(forecastBytes(plan).total));
      const all = published.reduce((sum, bytes) => sum + bytes, 0);
      return [`${patchCount(first!)}`, ...cells, average(all), average(fresh.total)];
    } catch (error) {
      if (!(error instanceof PcppError && error.code === 'E_PARTITION')) throw error;
      return [`${patches}`, ...borders.map(() => '-'), 'too many devices', '-'];
    }
  });
  const head = ['devices', ...borders.map((p) => `p = ${p}`), 'DistriFusion, fp16', 'sync, fp32'];
  const title = `received by a device in a step (average), ${wire}, cut by ${borderCut}:`;
  const note = `mode sync: ${stages.length} exchanges in a step`;
  return `\n${title}\n${table(head, rows)}\n${note}`;
}
