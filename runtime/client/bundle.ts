/**
 * Turns a user's module into one self-contained file, named by its content. The runtime is left out, so that the host
 * and the module share one copy; so are packages with native code, which every node must have installed.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { messageOf, RuntimeError } from '../errors.js';

export interface BundleOptions {
  /** More packages to leave out and expect on every node. */
  readonly external?: readonly string[];
}

export interface Bundle {
  readonly source: Uint8Array;
  readonly externals: readonly string[];
  /** Names that the module exports. */
  readonly exports: readonly string[];
}

const runtimeFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/** @throws RuntimeError `E_BUNDLE` with esbuild's own words. */
export async function bundle(module: URL, options: BundleOptions = {}): Promise<Bundle> {
  const externals = new Set<string>();
  try {
    const { outputFiles, metafile } = await build({
      entryPoints: [fileURLToPath(module)],
      outfile: 'index.mjs',
      // Paths in the output begin at the module, so that its name does not depend on where the program runs.
      absWorkingDir: dirname(fileURLToPath(module)),
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'inline',
      keepNames: true,
      logLevel: 'silent',
      // Packages written as CommonJS call require(), which an ES module has not.
      banner: {
        js: "import{createRequire as __require}from'node:module';const require=__require(import.meta.url);",
      },
      plugins: [leaveOut(externals, new Set(options.external))],
    });
    return {
      source: outputFiles[0]!.contents,
      externals: [...externals].sort(),
      exports: Object.values(metafile.outputs)[0]!.exports,
    };
  } catch (cause) {
    throw new RuntimeError('E_BUNDLE', `cannot bundle ${module.href}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

const resolving = Symbol('resolving');

const leaveOut = (externals: Set<string>, asked: ReadonlySet<string>): Plugin => ({
  name: 'leave-out',
  setup(builder) {
    builder.onResolve({ filter: /^[^/]/ }, async (args) => {
      if (args.pluginData === resolving || args.kind === 'entry-point') return undefined;
      if (args.path.startsWith('node:')) return { path: args.path, external: true };
      if (args.path === 'patchbay') return { path: 'patchbay', external: true };
      const { path, errors } = await builder.resolve(args.path, {
        resolveDir: args.resolveDir,
        kind: args.kind,
        importer: args.importer,
        pluginData: resolving,
      });
      if (path.startsWith(runtimeFolder + sep)) return { path: 'patchbay', external: true };
      const name = packageName(args.path);
      if (name && errors.length === 0 && (asked.has(name) || isNative(path, name))) {
        externals.add(name);
        return { path: args.path, external: true };
      }
      return undefined;
    });
  },
});

/** `@scope/name` or `name` of a bare import; undefined for relative ones. */
function packageName(specifier: string): string | undefined {
  if (specifier.startsWith('.')) return undefined;
  const [first, second] = specifier.split('/');
  return first!.startsWith('@') ? `${first}/${second}` : first;
}

const natives = new Map<string, boolean>();

function isNative(file: string, name: string): boolean {
  const marker = `${sep}node_modules${sep}${name.replace('/', sep)}${sep}`;
  const at = file.lastIndexOf(marker);
  if (at < 0) return false;
  const root = file.slice(0, at + marker.length);
  const known = natives.get(root);
  if (known !== undefined) return known;
  const native = existsSync(join(root, 'binding.gyp')) || loadsAddons(root) || hasAddon(root, 5);
  natives.set(root, native);
  return native;
}

function loadsAddons(root: string): boolean {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Record<string, Record<string, string> | undefined>;
  return ['node-gyp-build', 'bindings', 'node-gyp-build-optional-packages'].some(
    (loader) => loader in dependencies || loader in optionalDependencies,
  );
}

const hasAddon = (folder: string, depth: number): boolean =>
  readdirSync(folder, { withFileTypes: true }).some((entry) =>
    entry.isDirectory()
      ? depth > 0 && entry.name !== 'node_modules' && hasAddon(join(folder, entry.name), depth - 1)
      : entry.name.endsWith('.node'),
  );
