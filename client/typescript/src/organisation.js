/** Who must say yes and who stands in for whom: people, delegations and policies. */

import { randomKey } from './crypto.js';
import { NotFound } from './errors.js';

/**
 * @import {
 *   CallOptions, CreateDelegation, Delegation, DelegationFilters, Policy, ResolvedPerson,
 * } from '../placet.js'
 * @import { Http } from './http.js'
 */

const PAGE = 200;
const MOST_PAGES = 500;
const ID = /^[0-9A-Za-z_-]{1,64}$/;

/** Who is who. */
export class People {
  #http;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * @param {string} email
   * @param {CallOptions} [options]
   * @returns {Promise<ResolvedPerson>}
   */
  async get(email, { signal } = {}) {
    return this.#http.call('GET', `/v1/people/${encodeURIComponent(email)}`, { signal });
  }

  /**
   * @param {readonly string[]} emails
   * @param {CallOptions} [options]
   * @returns {Promise<ResolvedPerson[]>}
   */
  async resolve(emails, { signal } = {}) {
    const call = { body: { emails: [...emails] }, signal };
    return (await this.#http.call('POST', '/v1/people/resolve', call)).data;
  }
}

/** Who stands in for whom. */
export class Delegations {
  #http;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * @param {DelegationFilters} [filters]
   * @param {CallOptions} [options]
   * @returns {Promise<Delegation[]>}
   */
  async list(filters = {}, { signal } = {}) {
    /** @type {Delegation[]} */
    const found = [];
    let cursor;
    for (let pages = 0; pages < MOST_PAGES && cursor !== null; pages += 1) {
      const call = { query: { ...filters, limit: PAGE, cursor }, signal };
      const page = await this.#http.call('GET', '/v1/delegations', call);
      found.push(...page.data);
      cursor = page.next_cursor ?? null;
    }
    return found;
  }

  /**
   * @param {CreateDelegation} delegation
   * @param {CallOptions} [options]
   * @returns {Promise<Delegation>}
   */
  async create(delegation, { signal } = {}) {
    const call = { body: { ...delegation }, idempotencyKey: randomKey(), signal };
    return this.#http.call('POST', '/v1/delegations', call);
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<Delegation>}
   */
  async end(id, { signal } = {}) {
    // Anything else could lead to another path.
    if (!ID.test(id)) throw new NotFound('There is no such delegation.');
    return this.#http.call('DELETE', `/v1/delegations/${id}`, { signal });
  }
}

/** Who must say yes to what. */
export class Policies {
  #http;

  /** @param {Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<Policy[]>}
   */
  async list({ signal } = {}) {
    return (await this.#http.call('GET', '/v1/policies', { signal })).data;
  }
}
