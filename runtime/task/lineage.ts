/**
 * How the results of tasks were made, so that one whose node died can be made again. A recipe holds no stored object alive: an
 * argument that nobody holds any more is made again by its own recipe, or is lost.
 */

import type { ObjectRef } from '../object/object-ref.js';
import type { Task } from './task-client.js';

/** Recipes of arguments of arguments are kept so deep; a chain that goes on for ever must not keep its beginning. */
const maxDepth = 100;

export interface Recipe {
  readonly task: Omit<Task, 'args'>;
  readonly ingredients: readonly Ingredient[];
  readonly depth: number;
  /** How often it was made again. */
  again: number;
}

type Ingredient =
  | { readonly value: unknown }
  | { readonly ref: WeakRef<ObjectRef<unknown>>; readonly recipe: Recipe | undefined };

/** Filled when a result turns out to lie in a store; others cannot be lost while their owner lives. */
export interface Origin {
  recipe?: Recipe;
}

export class Lineage {
  readonly #origins = new WeakMap<ObjectRef<unknown>, Origin>();

  note(ref: ObjectRef<unknown>, origin: Origin): void {
    this.#origins.set(ref, origin);
  }

  recipeOf({ args, ...task }: Task, isRef: (arg: unknown) => arg is ObjectRef<unknown>): Recipe {
    const ingredients = args.map((arg): Ingredient => {
      if (!isRef(arg)) return { value: arg };
      const recipe = this.#origins.get(arg)?.recipe;
      const isShallow = recipe && recipe.depth < maxDepth;
      return { ref: new WeakRef(arg), recipe: isShallow ? recipe : undefined };
    });
    const depths = ingredients.map((one) => ('recipe' in one && one.recipe?.depth) || 0);
    return { task, ingredients, depth: 1 + Math.max(0, ...depths), again: 0 };
  }
}
