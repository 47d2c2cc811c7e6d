/**
 * How far a graph looks from one row of its output: so many rows of the latent above and below, and a strip is computed
 * exactly without asking anybody. Only graphs without whole-image operators have a reach.
 */

import type { NodeProto } from '../onnx/messages.js';
import { refuse } from './refusals.js';
import type { Edit } from './rule.js';
import { outputOf, type Trace } from './trace.js';

export interface Reach {
  /** Latent rows above those of a strip that its pixels depend on. */
  readonly above: number;
  readonly below: number;
  /** Rows of the output per latent row. */
  readonly scale: number;
}

/** Rows [from, to) of one value, counted from the first row that is made of the strip's own; negative ones lie above. */
type Rows = readonly [from: number, to: number];

/**
 * Follows the rows back from the output: what one latent row's pixels need of every value. Enlargement is whole, so rows
 * of any strip begin and end alike, and one row speaks for all.
 *
 * @throws PcppError `E_GRAPH` naming the first node that looks at the whole image, or makes fewer rows than it reads.
 */
export function reachOf({ model, found, latent }: Trace): Reach {
  const { tags, edits, view } = found;
  const rowsOf = (name: string): number | undefined => tags.get(name)?.rows;
  for (const node of view.nodes) requireLocal(node, edits.get(node));
  const output = outputOf(model, [...tags.keys()]);
  const scale = rowsOf(output)! / rowsOf(latent.axes.name)!;
  const needed = new Map<string, Rows>([[output, [0, scale]]]);
  for (const node of view.nodes.toReversed()) {
    const made = (node.output ?? []).flatMap((name) => {
      const rows = needed.get(name);
      return rows ? [{ name, rows }] : [];
    });
    for (const { name, rows } of made) {
      for (const input of node.input ?? []) {
        const before = rowsOf(input);
        if (before === undefined) continue;
        const read = readBy(node, edits.get(node), rows, rowsOf(name)! / before);
        needed.set(input, union(needed.get(input) ?? read, read));
      }
    }
  }
  const [from, to] = needed.get(latent.axes.name) ?? [0, 1];
  return { above: Math.max(0, -from), below: Math.max(0, to - 1), scale };
}

/** Whether no operator looks at the whole image. */
export const isLocal = ({ found }: Trace): boolean =>
  [...found.edits.values()].every(
    ({ kind }) => kind !== 'norm' && kind !== 'attention' && kind !== 'table',
  );

const oneDevice = 'one device has to run the graph';

function requireLocal(node: NodeProto, edit: Edit | undefined): void {
  if (edit?.kind === 'table') {
    refuse(node, 'it reads a table of positions in the whole image', oneDevice);
  }
  if (edit?.kind === 'norm') {
    refuse(node, 'it takes the moments of the whole image', oneDevice);
  }
  if (edit?.kind === 'attention') {
    refuse(node, 'it attends to the whole image', oneDevice);
  }
}

/** What `node` reads of an input to make these rows. @param growth Output rows per input row. */
function readBy(node: NodeProto, edit: Edit | undefined, [from, to]: Rows, growth: number): Rows {
  if (!Number.isInteger(growth)) {
    return refuse(node, 'it makes fewer rows than it reads', oneDevice);
  }
  if (edit?.kind === 'conv') {
    const { kernel, dilation, pads } = edit;
    return [from - pads[0], to - pads[0] + (kernel - 1) * dilation];
  }
  return [Math.floor(from / growth), Math.ceil(to / growth)];
}

const union = (a: Rows, b: Rows): Rows => [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
