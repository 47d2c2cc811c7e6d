/** What a rule is, and what it may decide. The rules themselves are in rules/, their list in rules.ts. */

import type { GraphView } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import type { RowTag, Tag, TextTokens } from './tags.js';

/** How a node changes in the patch graph. A node without an edit is kept as it is. */
export type Edit =
  /** New target shape: -1 on the axis that grows with the rows, 0 where an axis is copied. */
  | { readonly kind: 'reshape'; readonly shape: readonly number[] }
  /** Whole factors in the place of a target size. */
  | { readonly kind: 'resize'; readonly scales: readonly number[] }
  | {
      readonly kind: 'conv';
      readonly kernel: number;
      readonly stride: number;
      readonly dilation: number;
      readonly pads: readonly [top: number, left: number, bottom: number, right: number];
      readonly fresh: boolean;
    }
  /** Inputs without rows of their own that have a value for every row of the whole image: the patch's are cut out. */
  | {
      readonly kind: 'table';
      /** The axis of each that runs over positions. */
      readonly operands: readonly { readonly index: number; readonly axis: number }[];
      /** Positions per row. */
      readonly inner: number;
      readonly rows: number;
    }
  /** Parts of an axis that text shares with the image, by output. */
  | {
      readonly kind: 'part';
      readonly axis: number;
      readonly inner: number;
      readonly rows: number;
      readonly text: TextTokens['side'];
      readonly parts: readonly ('image' | 'text')[];
    }
  /** A repetition that leaves rows alone: 1 on their axis. */
  | { readonly kind: 'expand'; readonly shape: readonly number[] }
  | { readonly kind: 'transpose'; readonly order: readonly number[] }
  /** The shape that the value has in the whole image. */
  | { readonly kind: 'shape'; readonly tag: RowTag; readonly dims: readonly number[] }
  /** Input positions that hold keys or values of own rows. */
  | { readonly kind: 'attention'; readonly operands: readonly number[] }
  | {
      readonly kind: 'norm';
      /** The value to normalise: [N, C, H, W], or [N, C, H * W]. */
      readonly source: string;
      readonly channels: number;
      readonly width: number;
      /** Whether the node itself works on three axes: [N, groups, -1]. */
      readonly flat: boolean;
      readonly groups: number;
      readonly epsilon: number;
      /** Whether the node's scale and bias have one entry per channel; otherwise per group. */
      readonly perChannel: boolean;
    };

export interface Outcome {
  /** Tags of the outputs, in their order. */
  readonly tags: readonly (Tag | undefined)[];
  readonly edit?: Edit;
}

/** One node as a rule sees it. */
export interface Case {
  readonly node: NodeProto;
  readonly view: GraphView;
  readonly oracle: Oracle;
  readonly opset: number;
  readonly tagOf: (name: string) => Tag | undefined;
  /** Row tag of input `index`; undefined if it has no rows. Refuses a group view. */
  readonly rows: (index: number) => RowTag | undefined;
  /** Shape of input `index`. */
  readonly shape: (index: number) => readonly number[];
  readonly outShape: (index?: number) => readonly number[];
  /** Values of input `index` if they are constant. */
  readonly constant: (index: number) => readonly number[] | undefined;
  /** @throws PcppError `E_GRAPH` naming node, operator, reason and remedy. */
  readonly refuse: (reason: string, remedy?: string) => never;
}

export interface Rule {
  readonly name: string;
  /** Operators it covers; `com.microsoft:` in front of those outside the standard set. */
  readonly ops: readonly string[];
  readonly apply: (at: Case) => Outcome;
}
