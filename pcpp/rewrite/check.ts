/** What holds for every graph we write: a rule list, run on the finished graph before anybody opens it. */

import { PcppError } from '../errors.js';
import { nameOf } from '../onnx/graph.js';
import type { GraphProto } from '../onnx/messages.js';

/** @returns What is wrong, or undefined. */
type GraphRule = (graph: GraphProto) => string | undefined;

const given = (graph: GraphProto): string[] =>
  [...(graph.input ?? []), ...(graph.initializer ?? [])].map((entry) => entry.name ?? '');

/** Added names begin with `pp_` or are those of the site ports: a model may, in theory, use them too. */
const oneProducer: GraphRule = (graph) => {
  const made = new Set<string>();
  const outputs = (graph.node ?? []).flatMap((node) => node.output ?? []);
  for (const name of [...given(graph), ...outputs]) {
    if (name && made.has(name)) return `the value "${name}" has two producers`;
    made.add(name);
  }
  return undefined;
};

const definedBeforeUse: GraphRule = (graph) => {
  const defined = new Set(given(graph));
  for (const node of graph.node ?? []) {
    const missing = (node.input ?? []).find((name) => name && !defined.has(name));
    if (missing) return `${nameOf(node)} reads "${missing}", which nothing before it makes`;
    for (const name of node.output ?? []) defined.add(name);
  }
  const absent = (graph.output ?? []).find((port) => !defined.has(port.name ?? ''));
  return absent && `nothing makes the output "${absent.name}"`;
};

const graphRules: readonly GraphRule[] = [oneProducer, definedBeforeUse];

/** @throws PcppError `E_GRAPH` with the first broken rule. */
export function checkGraph(graph: GraphProto): void {
  for (const rule of graphRules) {
    const wrong = rule(graph);
    if (wrong) {
      throw new PcppError(
        'E_GRAPH',
        `the patch graph would be malformed: ${wrong}; rename it in the model`,
      );
    }
  }
}
