/** Topological order from the outputs back; what no output needs is gone: the old shape arithmetic, mostly. */

import type { NodeProto, TensorProto } from '../onnx/messages.js';

export function sortAndPrune(
  nodes: readonly NodeProto[],
  initializers: readonly TensorProto[],
  outputs: readonly string[],
): { readonly nodes: NodeProto[]; readonly initializers: TensorProto[] } {
  const producers = new Map(
    nodes.flatMap((node) => (node.output ?? []).map((name) => [name, node] as const)),
  );
  const sorted: NodeProto[] = [];
  const used = new Set<string>();
  const placed = new Set<NodeProto>();
  // An explicit stack: graphs are deeper than the call stack likes.
  const stack: { readonly node: NodeProto; next: number }[] = [];
  const visit = (name: string): void => {
    used.add(name);
    const node = producers.get(name);
    if (node && !placed.has(node)) {
      placed.add(node);
      stack.push({ node, next: 0 });
    }
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.node.input?.[top.next++];
      if (input !== undefined) visit(input);
      else {
        sorted.push(top.node);
        stack.pop();
      }
    }
  }
  return {
    nodes: sorted,
    initializers: initializers.filter((tensor) => used.has(tensor.name ?? '')),
  };
}
