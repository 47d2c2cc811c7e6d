/** Certificates for tests, made when they are needed. */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from './temp-folder.js';

export const hasOpenssl: boolean = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Word for a test that is left out. */
export const withoutOpenssl = '(left out: openssl is not installed)';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly #folder: string = tempFolder('tls');
  readonly #name: string;
  /** File with its certificate. */
  readonly ca: string;

  constructor(name: string) {
    this.#name = name;
    this.ca = join(this.#folder, `${name}.pem`);
    this.#openssl(
      'req',
      '-x509',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...this.#newKey(name),
      '-out',
      this.ca,
    );
  }

  /** @param days Negative for one that has expired. */
  issue(name: string, subjects = 'IP:127.0.0.1,DNS:localhost', days = 2): Pair {
    const [request, cert, extensions] = ['csr', 'pem', 'ext'].map((end) =>
      join(this.#folder, `${name}.${end}`),
    ) as [string, string, string];
    writeFileSync(extensions, `subjectAltName=${subjects}\n`);
    this.#openssl('req', '-subj', `/CN=${name}`, ...this.#newKey(name), '-out', request);
    const signer = ['-CA', this.ca, '-CAkey', this.#keyOf(this.#name), '-CAcreateserial'];
    const validity = ['-days', `${days}`, '-extfile', extensions];
    this.#openssl('x509', '-req', '-in', request, ...signer, ...validity, '-out', cert);
    return { cert, key: this.#keyOf(name) };
  }

  /** A file beside the certificates. */
  file(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }

  #keyOf(name: string): string {
    return join(this.#folder, `${name}.key`);
  }

  #newKey(name: string): readonly string[] {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    return [...curve, '-keyout', this.#keyOf(name)];
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
