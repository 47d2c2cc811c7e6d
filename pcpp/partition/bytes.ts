/** What a plan will send, before anything runs. */

import type { Site } from '../rewrite/sites.js';
import { latentLength, momentsLength } from './manifest.js';
import { ownSpan } from './needs.js';
import { type PatchPlan, patchCount, rowsOf } from './plan.js';
import { borderBytes, type FrameKind } from './wire.js';

export interface Traffic {
  /** Payload bytes that each patch sends after one displaced step. */
  readonly sent: readonly number[];
  /** Payload bytes that each patch receives. */
  readonly received: readonly number[];
  readonly total: number;
}

export interface Forecast extends Traffic {
  /** The first exchange of an image: more where residual wires send key frames, less in mode sync, otherwise the same. */
  readonly first: Traffic;
  /** A step in which every message was lost and came by itself a second time: residual wires only. */
  readonly repair: Traffic;
  /**
   * The same plan with every patch attending every other, as DistriFusion does, by keys and values and in half precision,
   * as it sends them; in float32 if this plan's wire is.
   */
  readonly distrifusion: Traffic;
  /** Share of DistriFusion's bytes that is saved, 0..1. */
  readonly saving: number;
}

/** @returns Bytes per displaced step. */
export function forecastBytes(plan: PatchPlan): Forecast {
  const own = trafficOf(plan, 'steady');
  const distrifusion = trafficOf(asDistrifusion(plan), 'steady');
  const saving = distrifusion.total === 0 ? 0 : 1 - own.total / distrifusion.total;
  return {
    ...own,
    first: trafficOf(plan, 'key'),
    repair: trafficOf(plan, 'repair'),
    distrifusion,
    saving,
  };
}

/**
 * The same of a plan for fresh values, in all exchanges of one step. In the first one nobody needs latent rows: everyone has
 * drawn them.
 */
export function forecastFresh(plan: PatchPlan): Forecast {
  const drawn = trafficBy(
    plan,
    (from, to) => borderBytes(plan, from, to) - 4 * latentLength(plan, from, to),
  );
  return { ...forecastBytes(plan), first: drawn };
}

/**
 * The same of two groups of devices that share guidance out. Each group sends what one alone does, and every device sends its
 * counterpart what the network gave for its rows, in float32; in whole-image steps that is the whole image.
 *
 * @param bounds Patch i of each group owns latent rows [bounds[i], bounds[i + 1]).
 * @param rowValues Values of one latent row, all channels.
 * @param group Of one group; undefined if its devices tell each other nothing.
 */
export function forecastHalves(
  bounds: readonly number[],
  rowValues: number,
  group?: Forecast,
): Forecast {
  const outputs = bounds.slice(1).map((end, patch) => 4 * rowValues * (end - bounds[patch]!));
  const nothing = { sent: outputs.map(() => 0), received: outputs.map(() => 0), total: 0 };
  const twice = (traffic: Traffic = nothing): Traffic => inHalves(traffic, outputs);
  const own = twice(group);
  const distrifusion = twice(group?.distrifusion);
  const saving = 1 - own.total / distrifusion.total;
  return { ...own, first: twice(group?.first), repair: twice(group?.repair), distrifusion, saving };
}

/**
 * The same where a device runs the two entries of guidance one after the other: each entry's borders, and the latent's rows
 * once, in float32.
 *
 * @param plan Of one entry, with the latent's rows apart.
 */
export function forecastTurns(plan: PatchPlan): Forecast {
  const entry = forecastBytes(plan);
  const latent = trafficBy(plan, (from, to) => 4 * latentLength(plan, from, to));
  const both = ({ sent, received, total }: Traffic): Traffic => ({
    sent: sent.map((bytes, patch) => 2 * bytes + latent.sent[patch]!),
    received: received.map((bytes, patch) => 2 * bytes + latent.received[patch]!),
    total: 2 * total + latent.total,
  });
  const [own, distrifusion] = [both(entry), both(entry.distrifusion)];
  const saving = 1 - own.total / distrifusion.total;
  return { ...own, first: both(entry.first), repair: both(entry.repair), distrifusion, saving };
}

/** Bytes of the steps in which devices tell each other rows of the latent, in float32. */
export interface CooldownTraffic {
  /** Of a step on the whole image: everybody's rows to everybody. */
  readonly gathered: Traffic;
  /** Of the last step: edge rows to neighbours. */
  readonly last: Traffic;
}

export function forecastCooldown(plan: PatchPlan): CooldownTraffic {
  const rowBytes = 4 * plan.sites.channels * plan.width;
  return {
    gathered: trafficBy(plan, (from) => rowBytes * rowsOf(plan, from)),
    last: trafficBy(plan, (from, to) => 4 * latentLength(plan, from, to)),
  };
}

/** The same in each of two groups that share guidance out, with what the network gave: for the whole image, and for own rows. */
export function forecastCooldownHalves(plan: PatchPlan): CooldownTraffic {
  const { gathered, last } = forecastCooldown(plan);
  const rowBytes = 4 * plan.sites.channels * plan.width;
  const patches = [...Array(patchCount(plan)).keys()];
  const whole = patches.map(() => rowBytes * plan.height);
  const own = patches.map((patch) => rowBytes * rowsOf(plan, patch));
  return { gathered: inHalves(gathered, whole), last: inHalves(last, own) };
}

/** @param outputs By patch, what a device and its counterpart send each other. */
function inHalves({ sent, received }: Traffic, outputs: readonly number[]): Traffic {
  const both = (bytes: readonly number[]): readonly number[] => {
    const each = outputs.map((output, patch) => output + bytes[patch]!);
    return [...each, ...each];
  };
  return { sent: both(sent), received: both(received), total: sumOf(both(sent)) };
}

/** Whole patches to everybody, as keys and values whatever travels here. */
export function asDistrifusion(plan: PatchPlan): PatchPlan {
  const borders = plan.sites.borders.map((site): Site => {
    if (site.kind === 'conv') return site;
    const { keysAndValues } = site;
    return { ...site, payload: 'kv', size: 1, outer: keysAndValues, outers: [keysAndValues] };
  });
  const sites = { ...plan.sites, borders };
  const wire = plan.wire === 'fp32' ? 'fp32' : 'fp16';
  const { borderFractions: _, ...rest } = plan;
  return { ...rest, sites, wire, mode: 'distrifusion', borderFraction: 1 };
}

/**
 * What each device receives in a step of DistriFusion as it was published, in half precision: an all-gather, by which both
 * edge rows of every convolution go to everybody, read or not. The latent's rows are not counted.
 */
export function publishedDistrifusion(plan: PatchPlan): readonly number[] {
  const patches = [...Array(patchCount(plan)).keys()];
  const own = (patch: number): number =>
    plan.sites.borders.reduce((sum, site) => {
      if (site.kind === 'conv') {
        return sum + (site.fresh ? 0 : (site.padTop + site.padBottom) * site.outer * site.size);
      }
      const [from, to] = ownSpan(plan, site, patch);
      return sum + (to - from) * site.keysAndValues;
    }, momentsLength(plan));
  const all = patches.reduce((sum, patch) => sum + own(patch), 0);
  return patches.map((patch) => 2 * (all - own(patch)));
}

const trafficOf = (plan: PatchPlan, kind: FrameKind): Traffic =>
  trafficBy(plan, (from, to) => borderBytes(plan, from, to, kind));

function trafficBy(plan: PatchPlan, bytesOf: (from: number, to: number) => number): Traffic {
  const patches = [...Array(patchCount(plan)).keys()];
  const bytes = (from: number, to: number): number => (from === to ? 0 : bytesOf(from, to));
  const sent = patches.map((from) => sumOf(patches.map((to) => bytes(from, to))));
  const received = patches.map((to) => sumOf(patches.map((from) => bytes(from, to))));
  return { sent, received, total: sumOf(sent) };
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
