/** Why a TLS handshake has failed, in words that say what to do. */

import { connect } from 'node:tls';
import { messageOf, RuntimeError } from '../errors.js';

const probeMs = 2_000;

/** Reasons of OpenSSL and Node, by their codes. */
const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; check the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name or address',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate vouches for itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that is not believed',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is of an authority that is not believed',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority that is not believed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that is not believed',
  CERT_SIGNATURE_FAILURE: 'its certificate is of an authority that is not believed',
};

/** The error with which a dial has failed, if TLS is at fault. */
export async function tlsFailure(url: string, cause: unknown): Promise<RuntimeError | undefined> {
  const { code } = cause as { code?: unknown };
  const reason = reasons[String(code)];
  if (reason !== undefined) {
    const text = `${url}: ${reason} (${messageOf(cause)}); give its authority (--tls-ca, PATCHBAY_TLS_CA or connect({ tls: { ca } }))`;
    return new RuntimeError('E_TLS', text, { cause });
  }
  if (url.startsWith('wss')) {
    const isPlain =
      code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version/.test(messageOf(cause));
    if (isPlain) {
      const text = `${url} does not speak TLS; if it is a head, use ${url.replace('wss:', 'ws:')}`;
      return new RuntimeError('E_TLS', text, { cause });
    }
    const isTls = code === 'EPROTO' || String(code).startsWith('ERR_SSL');
    return isTls ? new RuntimeError('E_TLS', `${url}: ${messageOf(cause)}`, { cause }) : undefined;
  }
  // A server that speaks TLS hangs up on whoever does not, without a word.
  if (url.startsWith('ws:') && code === 'ECONNRESET' && (await speaksTls(url))) {
    const text = `${url} speaks TLS; use ${url.replace('ws:', 'wss:')}`;
    return new RuntimeError('E_TLS', text, { cause });
  }
  return undefined;
}

function speaksTls(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    // Nothing is said to whoever answers, so it need not be believed.
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port),
      rejectUnauthorized: false,
      timeout: probeMs,
    });
    const done = (speaks: boolean): void => {
      socket.destroy();
      resolve(speaks);
    };
    socket.once('secureConnect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}
