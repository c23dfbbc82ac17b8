/** Calls Placet, and repeats what failed only for the moment: every call is safe to repeat. */

import { Approval } from './approval.js';
import { canonical } from './digest.js';
import {
  AlreadyResolved,
  Conflict,
  Invalid,
  NotAllowed,
  NotFound,
  PlacetError,
  StaleRevision,
  Unavailable,
  WrongAddress,
  WrongKey,
} from './errors.js';

/** @import { PlacetOptions, Problem } from '../placet.js' */

const DEFAULT_URL = 'http://127.0.0.1:8080';
const TIMEOUT_S = 30;
const ATTEMPTS = 5;
const FIRST_PAUSE_S = 0.25;
const LONGEST_PAUSE_S = 8;
/** A server that asks for more than this is not waited for: the caller is told. */
const LONGEST_RETRY_AFTER_S = 60;
const FOR_THE_MOMENT = new Set([429, 502, 503, 504]);
/** `setTimeout` takes no more: it would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * @typedef {object} Call
 * @property {Record<string, unknown>} [query] what is undefined or null is left out
 * @property {Record<string, unknown>} [body] what is undefined or null is left out
 * @property {string | Promise<string>} [idempotencyKey]
 * @property {AbortSignal | undefined} [signal]
 * @property {number} [timeout] seconds for each attempt
 * @property {number} [attempts] how often it is sent at the most
 */

/** Speaks to one Placet with one key. */
export class Http {
  #url;
  #key;
  #fetch;
  #timeout;
  #attempts;

  /** @param {PlacetOptions} options */
  constructor({ url, key, timeout = TIMEOUT_S, attempts = ATTEMPTS, fetch } = {}) {
    this.#url = checkedUrl(url ?? environment('PLACET_URL') ?? DEFAULT_URL);
    this.#key = checkedKey(key ?? environment('PLACET_KEY'));
    this.#timeout = timeout;
    this.#attempts = attempts;
    // Called as a function of its own: browsers refuse it as a method of something else.
    this.#fetch = fetch ?? ((/** @type {any} */ input, init) => globalThis.fetch(input, init));
  }

  /**
   * Return the answer's JSON, or reject with the error that its problem document stands for.
   *
   * @param {string} method
   * @param {string} path
   * @param {Call} [call]
   * @returns {Promise<any>}
   */
  async call(method, path, call = {}) {
    const { signal, attempts = this.#attempts } = call;
    // Made once and at once, for a repeated call must be the same to the byte; and canonical,
    // because that refuses what JSON would lose in silence, and nobody would see it missing.
    const body = call.body === undefined ? null : canonical(said(call.body));
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.#key}`, Accept: 'application/json' };
    if (body !== null) headers['Content-Type'] = 'application/json';
    const key = await call.idempotencyKey;
    if (key !== undefined) headers['Idempotency-Key'] = key;
    for (let failed = 0; ; failed += 1) {
      signal?.throwIfAborted();
      try {
        return await this.#once(method, path, { ...call, headers, body });
      } catch (error) {
        if (!(error instanceof Unavailable) || failed + 1 >= attempts) throw error;
        if ((error.retryAfter ?? 0) > LONGEST_RETRY_AFTER_S) throw error;
        await sleep(Math.max(pause(failed), error.retryAfter ?? 0), signal);
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Omit<Call, 'body'> & { headers: Record<string, string>, body: string | null }} call
   */
  async #once(method, path, { query, headers, body, signal, timeout = this.#timeout }) {
    const stop = new AbortController();
    const abort = () => stop.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(() => stop.abort(), Math.min(timeout * 1000, LONGEST_TIMER_MS));
    let answer;
    let text;
    try {
      answer = await this.#fetch(`${this.#url}${path}${queryOf(query)}`, {
        method,
        headers,
        body,
        signal: stop.signal,
        // Following would send an ask as a GET, and read a list as its answer.
        redirect: 'manual',
      });
      text = await answer.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const why = stop.signal.aborted ? `did not answer within ${timeout} s` : 'cannot be reached';
      throw new Unavailable(`${this.#url} ${why}`, { cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
    return this.#read(answer, text);
  }

  /**
   * @param {Response} answer
   * @param {string} text
   */
  #read(answer, text) {
    const content = parsed(text);
    if (answer.ok && content !== undefined) return content;
    const status = answer.status;
    const detail = typeof content?.detail === 'string' ? content.detail : null;
    const odd = `${this.#url} answered ${status || 'with a redirect'}: is that Placet?`;
    throw errorOf(status, detail ?? odd, detail === null ? null : content, answer.headers);
  }
}

/**
 * @param {number} status
 * @param {string} message
 * @param {(Problem & { approval?: any }) | null} problem
 * @param {Headers} headers
 * @returns {PlacetError}
 */
function errorOf(status, message, problem, headers) {
  if (FOR_THE_MOMENT.has(status)) {
    return new Unavailable(message, { problem, retryAfter: retryAfter(headers) });
  }
  if (status === 409) {
    const approval = problem?.approval ? new Approval(problem.approval) : null;
    const kind = { already_resolved: AlreadyResolved, stale_revision: StaleRevision };
    const code = /** @type {keyof typeof kind} */ (problem?.code);
    return new (kind[code] ?? Conflict)(message, { problem, approval });
  }
  if (status === 401) return new WrongKey(message, { problem });
  if (status === 403) return new NotAllowed(message, { problem });
  if (!problem && (status < 400 || status === 404)) return new WrongAddress(message);
  if (status === 404) return new NotFound(message, { problem });
  if ([400, 413, 415, 422].includes(status)) return new Invalid(message, { problem });
  return new PlacetError(message, { problem });
}

/**
 * @param {Headers} headers
 * @returns {number | null} seconds
 */
function retryAfter(headers) {
  const given = headers.get('retry-after');
  if (given === null) return null;
  if (/^\d+$/.test(given.trim())) return Number(given);
  const until = Date.parse(given);
  return Number.isNaN(until) ? null : Math.max(0, (until - Date.now()) / 1000);
}

/**
 * Return how long to pause after a failed attempt, in seconds: longer each time, never the same.
 *
 * @param {number} failed how many attempts failed before
 */
export function pause(failed) {
  const most = Math.min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** Math.min(failed, 30));
  return most * (0.5 + Math.random() / 2);
}

/**
 * Wait for some seconds; rejects with the signal's reason when it aborts.
 *
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      },
      Math.min(seconds * 1000, LONGEST_TIMER_MS),
    );
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** @param {Record<string, unknown> | undefined} query */
function queryOf(query) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null) given.set(name, String(value));
  }
  const text = String(given);
  return text && `?${text}`;
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name
 * @returns {string | undefined}
 */
function environment(name) {
  return /** @type {any} */ (globalThis).process?.env?.[name] || undefined;
}

/** @param {string} url */
function checkedUrl(url) {
  let parts = null;
  try {
    parts = new URL(url);
  } catch {
    // Told below, without the text: somebody may have put a password into it.
  }
  const well = parts && /^https?:$/.test(parts.protocol) && !parts.username && !parts.password;
  if (!well || parts?.search || parts?.hash) {
    throw new WrongAddress(
      'The address of Placet is no plain http:// or https:// address, such as ' +
        `${DEFAULT_URL}: correct PLACET_URL or url. A key belongs into PLACET_KEY.`,
    );
  }
  return url.trim().replace(/\/+$/, '');
}

/** @param {string | undefined} key */
function checkedKey(key) {
  const given = key?.trim();
  if (!given) throw new WrongKey('There is no key: set PLACET_KEY, or pass key.');
  if (!/^[\x21-\x7e]+$/.test(given)) {
    throw new WrongKey('The key holds characters that no key has: copy it again.');
  }
  return given;
}

/**
 * @param {Record<string, unknown>} body
 */
function said(body) {
  return Object.fromEntries(
    Object.entries(body).filter(([, value]) => value !== undefined && value !== null),
  );
}
