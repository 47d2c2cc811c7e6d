/**
 * What the dashboard's page runs in a browser. It stands in the page as it was compiled, so it imports nothing; everything that the
 * cluster tells is shown as text.
 */

import type { Cell, Table } from './tables.js';

/** What the head answers the page. */
export interface DashboardAnswer {
  /** Milliseconds since 1970, by the head's clock. */
  readonly at: number;
  readonly tables: readonly Table[];
}

/** As far as the page uses them. */
export interface PageElement {
  textContent: string | null;
  className: string;
  hidden: boolean;
  value?: string;
  append(...children: PageElement[]): void;
  replaceChildren(...children: PageElement[]): void;
  setAttribute(name: string, value: string): void;
  addEventListener(kind: string, listener: (event: { preventDefault(): void }) => void): void;
  focus(): void;
}

export interface PageWindow {
  readonly document: {
    readonly hidden: boolean;
    createElement(tag: string): PageElement;
    getElementById(id: string): PageElement | null;
  };
  readonly location: { readonly hash: string; readonly pathname: string };
  readonly history: { replaceState(state: null, title: string, url: string): void };
  readonly sessionStorage: {
    getItem(name: string): string | null;
    setItem(name: string, value: string): void;
    removeItem(name: string): void;
  };
  fetch(path: string, options: object): Promise<PageResponse>;
  setTimeout(what: () => void, ms: number): unknown;
}

export interface PageResponse {
  readonly ok: boolean;
  readonly status: number;
  json(): Promise<unknown>;
}

/** Between two looks, also of a page that nobody sees. */
const everyMs = 1_000;
const unseenMs = 5_000;
const tokenItem = 'patchbay-token';

export function openDashboard(window: PageWindow): void {
  const { document, sessionStorage, location } = window;
  const byId = (id: string): PageElement => {
    const element = document.getElementById(id);
    if (!element) throw new Error(`the page has no ${id}`);
    return element;
  };
  const [form, input, state, tables] = ['ask', 'token', 'state', 'tables'].map(byId) as [
    PageElement,
    PageElement,
    PageElement,
    PageElement,
  ];
  const shown: { json: string; element: PageElement }[] = [];
  let drawn: readonly PageElement[] = [];
  let token = takeToken();

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    token = (input.value ?? '').trim();
    input.value = '';
    // What cannot stand in a header is no token.
    if (!/^[!-~]+$/.test(token)) return ask('That is no token.');
    sessionStorage.setItem(tokenItem, token);
    form.hidden = true;
    void look();
  });
  if (token) void look();
  else ask('');

  /** From the fragment, which no server sees, or of this tab. */
  function takeToken(): string {
    const [, given] = /[#&]token=([!-~]+)/.exec(location.hash) ?? [];
    if (given) {
      sessionStorage.setItem(tokenItem, given);
      window.history.replaceState(null, '', location.pathname);
    }
    return sessionStorage.getItem(tokenItem) ?? '';
  }

  function ask(why: string): void {
    sessionStorage.removeItem(tokenItem);
    tables.hidden = true;
    form.hidden = false;
    say(why, why === '' ? '' : 'bad');
    input.focus();
  }

  function say(text: string, tone: string): void {
    state.textContent = text;
    state.className = tone;
  }

  async function look(): Promise<void> {
    try {
      const response = await window.fetch('/api/dashboard', {
        headers: { authorization: `Bearer ${token}` },
        cache: 'no-store',
        credentials: 'omit',
      });
      if (response.status === 401) return ask('The head does not know this token.');
      if (!response.ok) throw new Error(`the head answers ${response.status}`);
      show((await response.json()) as DashboardAnswer);
    } catch (error) {
      say(`No answer: ${error instanceof Error ? error.message : String(error)}`, 'bad');
    }
    window.setTimeout(() => void look(), document.hidden ? unseenMs : everyMs);
  }

  function show({ at, tables: fresh }: DashboardAnswer): void {
    say(`as of ${new Date(at).toISOString().slice(11, 19)} UTC`, 'good');
    tables.hidden = false;
    fresh.forEach((table, place) => {
      // What has not changed stays, with what is selected in it.
      const json = JSON.stringify(table);
      if (shown[place]?.json !== json) shown[place] = { json, element: sectionOf(table) };
    });
    shown.length = fresh.length;
    const elements = shown.map(({ element }) => element);
    if (elements.some((element, place) => drawn[place] !== element)) {
      drawn = elements;
      tables.replaceChildren(...elements);
    }
  }

  function sectionOf({ title, note, columns, rows }: Table): PageElement {
    const heading = made('h2', title);
    heading.append(made('small', note));
    const section = made('section', '');
    section.append(heading);
    if (rows.length === 0) return section;
    const head = made('tr', '');
    head.append(...columns.map((column) => made('th', column)));
    const table = made('table', '');
    table.append(wrapped('thead', [head]), wrapped('tbody', rows.map(rowOf)));
    section.append(table);
    return section;
  }

  function rowOf(cells: readonly Cell[]): PageElement {
    return wrapped('tr', cells.map(cellOf));
  }

  function cellOf(cell: Cell): PageElement {
    if (typeof cell === 'string') return made('td', cell);
    const element = made('td', cell.text);
    element.className = cell.tone ?? '';
    if (cell.share === undefined) return element;
    const bar = made('meter', '');
    bar.setAttribute('value', String(cell.share));
    element.append(bar);
    return element;
  }

  function wrapped(tag: string, children: readonly PageElement[]): PageElement {
    const element = document.createElement(tag);
    element.append(...children);
    return element;
  }

  function made(tag: string, text: string): PageElement {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  }
}
