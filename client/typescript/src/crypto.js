/** Web Crypto, wherever this runs. */

/**
 * Return Web Crypto; rejects with a `TypeError` where there is none.
 *
 * @returns {Promise<Crypto>}
 */
export async function webCrypto() {
  if (globalThis.crypto?.subtle) return globalThis.crypto;
  // Node 18 keeps it in a module. The name stands apart so that bundlers for browsers pass it by.
  const place = 'node:crypto';
  const found = await import(place).catch(() => null);
  if (found?.webcrypto) return found.webcrypto;
  throw new TypeError('there is no Web Crypto here: browsers have it on https and localhost only');
}

/**
 * Return random text, long enough never to come twice.
 *
 * @returns {Promise<string>}
 */
export async function randomKey() {
  return hex((await webCrypto()).getRandomValues(new Uint8Array(16)));
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
