/** A graph seen by its values: who makes them, who reads them, which are constants; attributes by name. */

import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './messages.js';

export interface GraphView {
  readonly proto: GraphProto;
  readonly nodes: readonly NodeProto[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
  readonly producers: ReadonlyMap<string, NodeProto>;
  readonly consumers: ReadonlyMap<string, readonly NodeProto[]>;
  readonly outputs: ReadonlySet<string>;
}

export function viewOf(proto: GraphProto): GraphView {
  const nodes = proto.node ?? [];
  const producers = new Map<string, NodeProto>();
  const consumers = new Map<string, NodeProto[]>();
  for (const node of nodes) {
    for (const name of node.output ?? []) if (name) producers.set(name, node);
    for (const name of new Set(node.input ?? [])) {
      const readers = consumers.get(name);
      if (readers) readers.push(node);
      else consumers.set(name, [node]);
    }
  }
  return {
    proto,
    nodes,
    initializers: new Map((proto.initializer ?? []).map((tensor) => [tensor.name ?? '', tensor])),
    producers,
    consumers,
    outputs: new Set((proto.output ?? []).map((port) => port.name ?? '')),
  };
}

/** The tensor behind a name: an initializer, or the value of a Constant node; Identity is looked through. */
export function constantOf(view: GraphView, name: string): TensorProto | undefined {
  const found = view.initializers.get(name);
  if (found) return found;
  const producer = view.producers.get(name);
  if (producer?.op_type === 'Constant') return attribute(producer, 'value')?.t ?? undefined;
  if (producer?.op_type === 'Identity') return constantOf(view, producer.input![0]!);
  return undefined;
}

export const attribute = (node: NodeProto, name: string): AttributeProto | undefined =>
  node.attribute?.find((entry) => entry.name === name);

export function intOf(node: NodeProto, name: string): number | undefined;
export function intOf(node: NodeProto, name: string, fallback: number): number;
export function intOf(node: NodeProto, name: string, fallback?: number): number | undefined {
  const found = attribute(node, name);
  return found ? Number(found.i ?? 0) : fallback;
}

export const intsOf = (node: NodeProto, name: string): number[] | undefined =>
  attribute(node, name)?.ints?.map(Number);

export const floatOf = (node: NodeProto, name: string, fallback: number): number =>
  attribute(node, name)?.f ?? fallback;

export function textOf(node: NodeProto, name: string, fallback: string): string {
  const found = attribute(node, name)?.s;
  return found ? Buffer.from(found).toString('utf8') : fallback;
}

/** `Conv "/down/conv1"`, for messages. */
export const nameOf = (node: NodeProto): string =>
  `${node.op_type} "${node.name || node.output?.[0] || 'unnamed'}"`;
