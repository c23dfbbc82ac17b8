/** The digest that binds a decision to what was approved: SHA-256 of canonical JSON (RFC 8785). */

import { hex, webCrypto } from './crypto.js';

const DEEPEST = 500;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/**
 * Return the SHA-256 of a payload's canonical JSON in hexadecimal, as Placet computes it.
 *
 * @param {unknown} payload
 * @returns {Promise<string>}
 */
export async function payloadDigest(payload) {
  const bytes = new TextEncoder().encode(canonical(payload));
  const { subtle } = await webCrypto();
  return hex(new Uint8Array(await subtle.digest('SHA-256', bytes)));
}

/**
 * Return a value's canonical JSON.
 *
 * Throws a `TypeError` for what JSON would lose in silence or cannot say: numbers that are not
 * finite, halves of surrogate pairs, maps, sets, big integers, and what goes in circles.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function canonical(value) {
  const text = written(value, 0);
  if (text === undefined) throw new TypeError('this has no JSON form');
  return text;
}

/**
 * @param {unknown} given
 * @param {number} depth
 * @param {string} [name] the property or index that holds it, as `toJSON` is told
 * @returns {string | undefined} undefined for what JSON leaves out
 */
function written(given, depth, name = '') {
  if (depth > DEEPEST) throw new TypeError('this is nested too deeply, or goes in circles');
  const value = plain(given, name);
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} is no number that JSON can say`);
      // ECMAScript's own way is the one that RFC 8785 prescribes; it writes -0 as 0.
      return String(value);
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return list(value, depth);
      return object(value, depth);
    case 'bigint':
      throw new TypeError('a BigInt has no JSON form: send it as text');
    default:
      return undefined;
  }
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {unknown}
 */
function plain(value, name) {
  const convert = /** @type {any} */ (value)?.toJSON;
  return typeof convert === 'function' ? convert.call(value, name) : value;
}

/**
 * @param {unknown[]} items
 * @param {number} depth
 */
function list(items, depth) {
  // Array.from, because map would pass over holes.
  const texts = Array.from(items, (item, place) => written(item, depth + 1, String(place)));
  return `[${texts.map((text) => text ?? 'null').join(',')}]`;
}

/**
 * @param {object} value
 * @param {number} depth
 */
function object(value, depth) {
  if (value instanceof Map || value instanceof Set) {
    throw new TypeError('a Map or Set would be sent as {}: make it an object or an array');
  }
  const members = [];
  // The standard order of strings is by UTF-16 code units, as RFC 8785 demands.
  for (const name of Object.keys(value).sort()) {
    const text = written(/** @type {any} */ (value)[name], depth + 1, name);
    if (text !== undefined) members.push(`${quoted(name)}:${text}`);
  }
  return `{${members.join(',')}}`;
}

/** @param {string} text */
function quoted(text) {
  if (LONE_SURROGATE.test(text)) {
    throw new TypeError('text holds half of a surrogate pair, which is no character');
  }
  return JSON.stringify(text);
}
