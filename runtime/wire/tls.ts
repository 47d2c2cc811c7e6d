/**
 * TLS for links over TCP. A process with a certificate shows it; one without, such as a driver, is encrypted with a key
 * that both sides derive from the token, so that a certificate for the head is all that a cluster needs. Unix
 * sockets stay plain: what passes there does not leave the machine.
 */

import { createPrivateKey, hkdfSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { messageOf, RuntimeError } from '../errors.js';

export interface TlsOptions {
  /**
   * File (PEM) with the authorities whose certificates are believed.
   * @default PATCHBAY_TLS_CA for `connect` and the commands, else those that Node knows
   */
  readonly ca?: string;
  /**
   * File (PEM) with the certificate of this process and those that lead to its authority. It must be good for the address by
   * which others reach it.
   * @default none: links to this process are encrypted by the token
   */
  readonly cert?: string;
  /** File (PEM) with the key of `cert`. */
  readonly key?: string;
}

/**
 * A process whose head is at `wss://` encrypts all its links over TCP.
 *
 * @throws RuntimeError `E_TLS` if certificates are given for a head that is not.
 */
export function tlsOf(headUrl: string, tls: TlsOptions = {}): { readonly tls?: TlsOptions } {
  if (headUrl.startsWith('wss:')) return { tls };
  if (Object.values(tls).every((file) => file === undefined)) return {};
  const text = `certificates are given, but ${headUrl} is not encrypted; use wss:// or leave them out`;
  throw new RuntimeError('E_TLS', text);
}

/** @throws RuntimeError `E_TLS` if one of the files will not do. */
export function requireTls(headUrl: string, tls: TlsOptions | undefined): void {
  const known = tlsOf(headUrl, tls);
  if (known.tls) new Tls(known.tls, '');
}

/** Forward secret: who learns the token later cannot read what was recorded before. */
const tokenCiphers = { ciphers: 'ECDHE-PSK-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' } as const;
const identity = 'patchbay';
const tokenScheme = 'wss+token:';

export class Tls {
  readonly #ca: string | undefined;
  readonly #own: { readonly cert: string; readonly key: string } | undefined;
  readonly #secret: Buffer;

  /** @throws RuntimeError `E_TLS` if a file cannot be read, holds something else, or the certificate is not valid now. */
  constructor({ ca, cert, key }: TlsOptions, token: string) {
    this.#ca = ca === undefined ? undefined : readAuthorities(ca);
    if ((cert === undefined) !== (key === undefined)) {
      throw new RuntimeError('E_TLS', 'a certificate and its key are given together, or neither');
    }
    this.#own = cert === undefined || key === undefined ? undefined : readPair(cert, key);
    this.#secret = Buffer.from(hkdfSync('sha256', token, '', 'patchbay link', 32));
  }

  /** Of this process's address. */
  get scheme(): 'wss:' | typeof tokenScheme {
    return this.#own ? 'wss:' : tokenScheme;
  }

  server(): ServerOptions {
    return (
      this.#own ?? { ...tokenCiphers, pskCallback: () => this.#secret, pskIdentityHint: identity }
    );
  }

  /**
   * What WebSocket and TLS need to know to dial `url`.
   *
   * @throws RuntimeError `E_TLS` for a plain address: what is said in this cluster is for nobody else.
   */
  dial(url: string): { readonly url: string; readonly options: ConnectionOptions } {
    if (url.startsWith('ws+unix:')) return { url, options: {} };
    if (url.startsWith('wss:')) {
      return { url, options: this.#ca === undefined ? {} : { ca: this.#ca } };
    }
    if (url.startsWith(tokenScheme)) {
      const options: ConnectionOptions = {
        ...tokenCiphers,
        pskCallback: () => ({ psk: this.#secret, identity }),
        // There is no certificate: who knows the key is one of us.
        checkServerIdentity: () => undefined,
      };
      return { url: url.replace(tokenScheme, 'wss:'), options };
    }
    const text = `${url} is not encrypted, but this process belongs to a cluster that is; use wss://`;
    throw new RuntimeError('E_TLS', text);
  }
}

function readPair(certFile: string, keyFile: string): { cert: string; key: string } {
  const cert = read(certFile, 'certificate');
  const key = read(keyFile, 'key');
  const [own] = certificatesIn(cert, certFile);
  requireValid(own!, certFile);
  try {
    if (own!.checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch (cause) {
    throw new RuntimeError('E_TLS', `${keyFile} holds no key: ${messageOf(cause)}`, { cause });
  }
  throw new RuntimeError('E_TLS', `the key in ${keyFile} is not that of ${certFile}`);
}

function readAuthorities(file: string): string {
  const text = read(file, 'certificates');
  for (const authority of certificatesIn(text, file)) requireValid(authority, file);
  return text;
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new RuntimeError('E_TLS', `cannot read the ${what}: ${messageOf(cause)}`, { cause });
  }
}

function certificatesIn(text: string, file: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new RuntimeError('E_TLS', `${file} holds no certificate in PEM`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    const why = messageOf(cause);
    throw new RuntimeError('E_TLS', `${file} holds a broken certificate: ${why}`, { cause });
  }
}

function requireValid({ validFrom, validTo, subject }: X509Certificate, file: string): void {
  const now = Date.now();
  const name = subject?.replaceAll('\n', ', ') ?? 'without a name';
  if (now > Date.parse(validTo)) {
    throw new RuntimeError('E_TLS', `the certificate in ${file} (${name}) expired on ${validTo}`);
  }
  if (now < Date.parse(validFrom)) {
    const text = `the certificate in ${file} (${name}) is not valid before ${validFrom}`;
    throw new RuntimeError('E_TLS', text);
  }
}
