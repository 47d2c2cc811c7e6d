/** As much of a browser as the dashboard's page uses. What is shown is text: there is nothing here that could run anything. */

import type { PageElement, PageWindow } from '../../runtime/dashboard/page-script.js';
import { until } from './until.js';

export class FakeElement implements PageElement {
  readonly tag: string;
  textContent: string | null = '';
  className = '';
  hidden = false;
  value = '';
  children: FakeElement[] = [];
  readonly attributes: Map<string, string> = new Map();
  readonly #listeners = new Map<string, (event: { preventDefault(): void }) => void>();

  constructor(tag: string) {
    this.tag = tag;
  }

  append(...children: FakeElement[]): void {
    this.children.push(...children);
  }

  replaceChildren(...children: FakeElement[]): void {
    this.children = children;
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  addEventListener(kind: string, listener: (event: { preventDefault(): void }) => void): void {
    this.#listeners.set(kind, listener);
  }

  happen(kind: string): void {
    this.#listeners.get(kind)?.({ preventDefault: () => undefined });
  }

  focus(): void {}

  /** What is written below, by tag. */
  texts(tag: string): readonly string[] {
    const own = this.tag === tag ? [this.textContent ?? ''] : [];
    return [...own, ...this.children.flatMap((child) => child.texts(tag))];
  }
}

/** A tab at the page of a head. */
export class FakeBrowser implements PageWindow {
  readonly elements: ReadonlyMap<string, FakeElement> = new Map(
    ['ask', 'token', 'state', 'tables'].map((id) => [id, new FakeElement(id)]),
  );
  readonly items: Map<string, string> = new Map();
  readonly paths: string[] = [];
  readonly urls: string[] = [];
  readonly location: { readonly hash: string; readonly pathname: string };
  readonly #base: string;
  #waiting: (() => void)[] = [];

  constructor(base: string, hash = '') {
    this.#base = base;
    this.location = { hash, pathname: '/' };
    this.element('ask').hidden = true;
    this.element('tables').hidden = true;
  }

  readonly document: PageWindow['document'] = {
    hidden: false,
    createElement: (tag) => new FakeElement(tag),
    getElementById: (id) => this.elements.get(id) ?? null,
  };

  readonly history: PageWindow['history'] = {
    replaceState: (_, __, url) => this.urls.push(url),
  };

  readonly sessionStorage: PageWindow['sessionStorage'] = {
    getItem: (name) => this.items.get(name) ?? null,
    setItem: (name, value) => this.items.set(name, value),
    removeItem: (name) => this.items.delete(name),
  };

  fetch(path: string, options: object): Promise<Response> {
    this.paths.push(path);
    return fetch(`${this.#base}${path}`, options);
  }

  setTimeout(what: () => void): void {
    this.#waiting.push(what);
  }

  element(id: string): FakeElement {
    return this.elements.get(id)!;
  }

  /** Waits until the page waits itself. */
  async rests(): Promise<void> {
    await until('the page has looked', () => this.#waiting.length > 0);
  }

  /** Time passes. */
  async looksAgain(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const what of waiting) what();
    await this.rests();
  }
}
