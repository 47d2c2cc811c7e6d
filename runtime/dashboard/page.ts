/** The dashboard's page: one document that needs nothing else, and may do nothing else than ask its own head. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

const style = `
:root {
  color-scheme: light dark;
  --ink: #1c2128; --soft: #59636e; --line: #d1d9e0; --paper: #ffffff; --band: #f6f8fa;
  --good: #116329; --wait: #7d4e00; --bad: #b3202c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --paper: #0d1117; --band: #151b23;
    --good: #4cc764; --wait: #e0b04a; --bad: #ff8182;
  }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem clamp(1rem, 3vw, 3rem) 3rem; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.25rem; margin: 0.25rem 0; }
h2 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
small { margin-left: 0.75rem; font-weight: normal; color: var(--soft); }
section { overflow-x: auto; }
table { border-collapse: collapse; min-width: 100%; }
th, td { padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: anywhere; max-width: 32rem; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
tbody tr:hover { background: var(--band); }
meter { display: block; width: 8rem; height: 0.6rem; }
form { margin: 3rem auto; max-width: 30rem; display: grid; gap: 0.5rem; }
form[hidden], main[hidden] { display: none; }
input, button { font: inherit; padding: 0.4rem 0.6rem; }
.good { color: var(--good); } .wait { color: var(--wait); } .bad { color: var(--bad); } .past { color: var(--soft); }
`;

const body = `<header><h1>Patchbay</h1><span id="state"></span></header>
<form id="ask" hidden>
<label for="token">Token of this head, from <code>~/.patchbay/token</code>. It stays in this tab.</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" required>
<button>Show the cluster</button>
</form>
<main id="tables" hidden></main>
<noscript>This page shows what <code>patchbay status</code> and <code>patchbay list</code> print; without scripts, use those.</noscript>`;

/** As it was compiled, without what only debuggers look at. */
const script = (): string => {
  const source = readFileSync(new URL('./page-script.js', import.meta.url), 'utf8');
  return `${source.replace(/^\/\/# sourceMappingURL=.*$/m, '').trim()}\nopenDashboard(window);\n`;
};

const hashOf = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

export function makePage(): Page {
  const code = script();
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(code)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Patchbay</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
${body}
<script type="module">${code}</script>
</body>
</html>
`;
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-store',
    },
  };
}
