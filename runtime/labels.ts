/** Labels of nodes, and selectors that choose among nodes by them. */

import { RuntimeError } from './errors.js';

/** What a node says of itself: `{ zone: 'eu-1', gpu: 'H100' }`. */
export type Labels = Readonly<Record<string, string>>;

/**
 * What a node's labels must be, in Ray's syntax: `{ zone: 'eu-1', gpu: '!T4', disk: 'in(ssd, nvme)', rack: '!in(1, 2)' }`.
 * Every entry must hold. A node without the label satisfies the negated ones only.
 */
export type LabelSelector = Labels;

interface Choice {
  readonly negated: boolean;
  readonly values: readonly string[];
}

const valuePattern = /^[\w.:/ -]+$/;
const choicePattern = /^(!?)(?:in\(([^()]*)\)|([^()]*))$/;

/** Undefined for what is no expression. */
function choiceOf(expression: string): Choice | undefined {
  const found = choicePattern.exec(expression.trim());
  if (!found) return undefined;
  const [, negation, several, single = ''] = found;
  const values = (several?.split(',') ?? [single]).map((value) => value.trim());
  if (!values.every((value) => valuePattern.test(value))) return undefined;
  return { negated: negation === '!', values };
}

/** @throws RuntimeError `E_OPTION` for labels that no selector could name. */
export function requireLabels(labels: Labels): Labels {
  for (const [name, value] of Object.entries(labels)) {
    if (valuePattern.test(name) && typeof value === 'string' && valuePattern.test(value)) continue;
    const text = `label ${name}=${value}: names and values are letters, digits, spaces and any of . : / _ -`;
    throw new RuntimeError('E_OPTION', text);
  }
  return labels;
}

/** @throws RuntimeError `E_OPTION` for an entry that is no expression. */
export function requireSelector(selector: LabelSelector): LabelSelector {
  for (const [name, expression] of Object.entries(selector)) {
    if (typeof expression === 'string' && choiceOf(expression)) continue;
    const text = `labelSelector ${name}: ${expression} is none of value, !value, in(a, b), !in(a, b)`;
    throw new RuntimeError('E_OPTION', text);
  }
  return selector;
}

/** Why a node's labels do not satisfy a selector; empty if they do. */
export function mismatch(selector: LabelSelector, labels: Labels): readonly string[] {
  return Object.entries(selector).flatMap(([name, expression]) => {
    const { negated, values } = choiceOf(expression) ?? { negated: false, values: [] };
    const value = labels[name];
    const isAmong = value !== undefined && values.includes(value);
    if (isAmong !== negated) return [];
    return [`label ${name} is ${value ?? 'not set'}, wanted ${expression}`];
  });
}
