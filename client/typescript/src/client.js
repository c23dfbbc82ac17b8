/** The verbs of Placet. */

import { Approval, Page } from './approval.js';
import { randomKey } from './crypto.js';
import { NotDecidedInTime, NotFound, Unavailable } from './errors.js';
import { Http, pause, sleep } from './http.js';

/**
 * @import {
 *   CallOptions, CommentOptions, CreateApproval, CreateOptions, Decision, HistoryEntry, Link,
 *   ListFilters, PlacetOptions, QueueFilters, WaitOptions, WithdrawOptions,
 * } from '../placet.js'
 */

/** How long the server is asked to wait at a time: below what most proxies cut. */
const POLL_S = 30;
/** Beyond the server's own wait, before an answer counts as missing. */
const GRACE_S = 10;
/** How long a wait goes on without any answer: a server may be started anew meanwhile. */
const AWAY_AT_MOST_S = 600;
/** How much longer than the approval may live a wait without `timeout` lasts at most. */
const AFTER_EXPIRY_S = 3600;
const ID = /^[0-9A-Za-z]{1,64}$/;

/** A client of one Placet, with one key. */
export class Placet {
  /** @param {PlacetOptions} [options] */
  constructor(options = {}) {
    this.approvals = new Approvals(new Http(options));
  }
}

/** Asks, answers, and waits. */
class Approvals {
  #http;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * @param {CreateApproval} ask
   * @param {CreateOptions} [options]
   */
  async create(ask, { idempotencyKey, signal } = {}) {
    const key = idempotencyKey ?? randomKey();
    const call = { body: withRevision(ask), idempotencyKey: key, signal };
    return new Approval(await this.#http.call('POST', '/v1/approvals', call));
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   */
  async get(id, { signal } = {}) {
    return new Approval(await this.#http.call('GET', path(id), { signal }));
  }

  /**
   * @param {ListFilters} [filters]
   * @param {CallOptions} [options]
   * @returns {Promise<Page>}
   */
  async list(filters = {}, options = {}) {
    return this.#page('/v1/approvals', { ...filters }, options);
  }

  /**
   * @param {QueueFilters} [filters]
   * @param {CallOptions} [options]
   * @returns {Promise<Page>}
   */
  async queue(filters = {}, options = {}) {
    return this.#page('/v1/queue', { ...filters }, options);
  }

  /**
   * @param {string} id
   * @param {Decision} decision
   * @param {CallOptions} [options]
   */
  async decide(id, decision, { signal } = {}) {
    const call = { body: withRevision(decision), signal };
    return new Approval(await this.#http.call('POST', path(id, '/decision'), call));
  }

  /**
   * @param {string} id
   * @param {WaitOptions} [options]
   */
  async wait(id, { timeout, signal } = {}) {
    const began = now();
    let until = timeout === undefined ? Infinity : began + timeout;
    let heard = began;
    let hurried = 0;
    for (;;) {
      const held = Math.max(0, Math.min(POLL_S, Math.ceil(until - now())));
      const asked = now();
      let approval;
      try {
        const call = { query: { timeout: held }, timeout: held + GRACE_S, signal, attempts: 1 };
        approval = new Approval(await this.#http.call('GET', path(id, '/wait'), call));
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        const again = now() + Math.max(pause(hurried), error.retryAfter ?? 0);
        if (again > Math.min(until, heard + AWAY_AT_MOST_S)) throw error;
        await sleep(again - now(), signal);
        hurried += 1;
        continue;
      }
      heard = now();
      if (approval.isFinal) return approval;
      if (heard >= until) throw new NotDecidedInTime(/** @type {any} */ (approval));
      if (timeout === undefined) until = began + lifetime(approval) + AFTER_EXPIRY_S;
      // A server that stops ends its waits early: do not press it.
      hurried = heard - asked < held / 2 ? hurried + 1 : 0;
      if (hurried) await sleep(Math.min(pause(hurried), until - heard), signal);
    }
  }

  /**
   * @param {string} id
   * @param {WithdrawOptions} [options]
   */
  async withdraw(id, { reason, signal } = {}) {
    const call = { body: { reason }, signal };
    return new Approval(await this.#http.call('POST', path(id, '/withdraw'), call));
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   */
  async acknowledge(id, { signal } = {}) {
    const call = { body: {}, signal };
    return new Approval(await this.#http.call('POST', path(id, '/acknowledge'), call));
  }

  /**
   * @param {string} id
   * @param {string} text
   * @param {CommentOptions} [options]
   */
  async comment(id, text, { idempotencyKey, signal } = {}) {
    const key = idempotencyKey ?? randomKey();
    const call = { body: { text }, idempotencyKey: key, signal };
    return new Approval(await this.#http.call('POST', path(id, '/comments'), call));
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<HistoryEntry[]>}
   */
  async history(id, { signal } = {}) {
    return (await this.#http.call('GET', path(id, '/history'), { signal })).data;
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<Link[]>}
   */
  async links(id, { signal } = {}) {
    return (await this.#http.call('GET', path(id, '/links'), { signal })).data;
  }

  /**
   * @param {string} where
   * @param {Record<string, unknown>} query
   * @param {CallOptions} options
   * @returns {Promise<Page>}
   */
  async #page(where, query, { signal }) {
    const content = await this.#http.call('GET', where, { query, signal });
    return new Page(content, (cursor) => this.#page(where, { ...query, cursor }, { signal }));
  }
}

/**
 * @param {string} id
 * @param {string} [verb]
 */
function path(id, verb = '') {
  if (typeof id !== 'string') throw new TypeError("give the approval's id");
  // Anything else could lead to another path.
  if (!ID.test(id)) throw new NotFound('There is no such approval.');
  return `/v1/approvals/${id}${verb}`;
}

/**
 * @param {CreateApproval | Decision} body
 * @returns {Record<string, unknown>}
 */
function withRevision(body) {
  const { revision } = body;
  return typeof revision === 'number' ? { ...body, revision: String(revision) } : { ...body };
}

/**
 * @param {Approval} approval
 * @returns {number} seconds
 */
function lifetime(approval) {
  const lives = (Date.parse(approval.expires_at) - Date.parse(approval.created_at)) / 1000;
  return Number.isNaN(lives) ? Infinity : lives;
}

/** Seconds of a clock that nobody sets. */
function now() {
  return performance.now() / 1000;
}
