/** The verbs of Placet. */

import { Approval, Page } from './approval.js';
import { randomKey } from './crypto.js';
import { NotFound } from './errors.js';
import { Http } from './http.js';
import { Delegations, People, Policies } from './organisation.js';
import { untilFinal } from './waiting.js';

/**
 * @import {
 *   AcknowledgeOptions, AnswerOptions, CallOptions, CommentOptions, CreateApproval, CreateOptions,
 *   Decision, Differences, HistoryEntry, Link, ListFilters, PlacetOptions, QuestionOptions,
 *   QueueFilters, Reassignment, Revision, UndoOptions, WaitOptions, WithdrawOptions,
 * } from '../placet.js'
 */

const ID = /^[0-9A-Za-z]{1,64}$/;

/** A client of one Placet, with one key. */
export class Placet {
  /** @param {PlacetOptions} [options] */
  constructor(options = {}) {
    const http = new Http(options);
    this.approvals = new Approvals(http);
    this.people = new People(http);
    this.delegations = new Delegations(http);
    this.policies = new Policies(http);
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
  async wait(id, options = {}) {
    const { signal } = options;
    const look = async (/** @type {number} */ held, /** @type {number} */ within) => {
      const call = { query: { timeout: held }, timeout: within, signal, attempts: 1 };
      return new Approval(await this.#http.call('GET', path(id, '/wait'), call));
    };
    return untilFinal(look, this, options);
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
   * @param {AcknowledgeOptions} [options]
   */
  async acknowledge(id, { effectivePayload, signal } = {}) {
    const call = { body: { effective_payload: effectivePayload }, signal };
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
   * @param {string} text
   * @param {QuestionOptions} [options]
   */
  async askBack(id, text, { wants, approver, revision, idempotencyKey, signal } = {}) {
    const key = idempotencyKey ?? randomKey();
    const body = withRevision({ text, wants, approver, revision });
    const call = { body, idempotencyKey: key, signal };
    return new Approval(await this.#http.call('POST', path(id, '/questions'), call));
  }

  /**
   * @param {string} id
   * @param {string} text
   * @param {AnswerOptions} [options]
   */
  async answer(id, text, { questionId, signal } = {}) {
    // Named, so that a repeated call answers this one, and not the next.
    const open = questionId ?? (await this.get(id, { signal })).asked_back?.question_id;
    const call = { body: { text, question_id: open }, signal };
    return new Approval(await this.#http.call('POST', path(id, '/answers'), call));
  }

  /**
   * @param {string} id
   * @param {Revision} change
   * @param {CallOptions} [options]
   */
  async revise(id, change, { signal } = {}) {
    const call = { body: withRevision(change), signal };
    return new Approval(await this.#http.call('POST', path(id, '/revise'), call));
  }

  /**
   * @param {string} id
   * @param {Reassignment} reassignment
   * @param {CallOptions} [options]
   */
  async reassign(id, reassignment, { signal } = {}) {
    const call = { body: { ...reassignment }, signal };
    return new Approval(await this.#http.call('POST', path(id, '/reassign'), call));
  }

  /**
   * @param {string} id
   * @param {UndoOptions} [options]
   */
  async undo(id, { approver, signal } = {}) {
    const call = { body: { approver }, signal };
    return new Approval(await this.#http.call('POST', path(id, '/undo'), call));
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   */
  async remind(id, { signal } = {}) {
    const call = { body: {}, signal };
    return new Approval(await this.#http.call('POST', path(id, '/remind'), call));
  }

  /**
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<Differences>}
   */
  async difference(id, { signal } = {}) {
    return this.#http.call('GET', path(id, '/difference'), { signal });
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
 * @template {{ revision?: string | number | null | undefined }} Body
 * @param {Body} body
 * @returns {Record<string, unknown>}
 */
function withRevision(body) {
  const { revision } = body;
  return typeof revision === 'number' ? { ...body, revision: String(revision) } : { ...body };
}
