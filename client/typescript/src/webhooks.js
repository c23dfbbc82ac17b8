/** Tells webhooks of Placet from forged and old ones (Standard Webhooks, version 1). */

import { webCrypto } from './crypto.js';
import { BadSignature } from './errors.js';

const PREFIX = 'whsec_';
const TOLERANCE_S = 300;
const MOST_SIGNATURES = 10;

/**
 * Return what a webhook says, or reject with `BadSignature`.
 *
 * @param {string | ArrayBuffer | ArrayBufferView} body the raw body, as it came
 * @param {Headers | Record<string, string | readonly string[] | undefined>} headers
 * @param {string} secret
 * @param {{ tolerance?: number, now?: Date }} [options] `tolerance` in seconds
 * @returns {Promise<any>}
 */
export async function verifyWebhook(body, headers, secret, options = {}) {
  const { tolerance = TOLERANCE_S, now = new Date() } = options;
  const raw = bytesOf(body);
  const key = keyOf(secret);
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = header(headers, 'webhook-signature');
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new BadSignature('the header webhook-timestamp is no time in seconds');
  }
  const age = now.getTime() / 1000 - Number(timestamp);
  if (Math.abs(age) > tolerance) {
    const when = age > 0 ? 'old' : 'from the future';
    throw new BadSignature(`the webhook is ${Math.round(Math.abs(age))} s ${when}`);
  }
  const signed = joined(new TextEncoder().encode(`${id}.${timestamp}.`), raw);
  if (!(await anyIsOurs(signed, signatures, key))) {
    throw new BadSignature('no signature of the webhook was made with this secret');
  }
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
}

/**
 * @param {Uint8Array<ArrayBuffer>} signed
 * @param {string} signatures
 * @param {Uint8Array<ArrayBuffer>} secret
 */
async function anyIsOurs(signed, signatures, secret) {
  const { subtle } = await webCrypto();
  const how = { name: 'HMAC', hash: 'SHA-256' };
  const key = await subtle.importKey('raw', secret, how, false, ['verify']);
  // Several stand there while a secret is rotated.
  for (const one of signatures.split(' ').slice(0, MOST_SIGNATURES)) {
    if (!one.startsWith('v1,')) continue;
    const signature = base64(one.slice('v1,'.length));
    // Compares in constant time.
    if (signature && (await subtle.verify(how, key, signature, signed))) return true;
  }
  return false;
}

/**
 * @param {Headers | Record<string, string | readonly string[] | undefined>} headers
 * @param {string} name in lower case
 * @returns {string}
 */
function header(headers, name) {
  const found =
    typeof headers.get === 'function'
      ? headers.get(name)
      : Object.entries(headers).find(([one]) => one.toLowerCase() === name)?.[1];
  if (typeof found !== 'string' || !found) throw new BadSignature(`there is no header ${name}`);
  return found;
}

/**
 * @param {unknown} body
 * @returns {Uint8Array<ArrayBuffer>}
 */
function bytesOf(body) {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  }
  throw new TypeError('give the raw body as it came, before anything parsed it');
}

/** @param {string} secret */
function keyOf(secret) {
  const key = base64(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (!key?.length) throw new TypeError('the secret is whsec_ and base64, as Placet showed it');
  return key;
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer> | null} null for a text that is not base64
 */
function base64(text) {
  try {
    return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  } catch {
    return null;
  }
}

/**
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 */
function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
