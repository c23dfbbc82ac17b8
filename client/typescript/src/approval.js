/** An approval as Placet shows it, and pages of them. */

import { payloadDigest } from './digest.js';
import { ArgumentsChanged, Expired, NotDecidedInTime, Rejected, Withdrawn } from './errors.js';

/** @import { ApprovalFields } from '../placet.js' */

const FINAL = new Set(['approved', 'rejected', 'withdrawn', 'expired']);

/** @type {new (fields: ApprovalFields<any>) => ApprovalFields<any>} */
const Fields = /** @type {any} */ (
  class {
    /** @param {ApprovalFields} fields */
    constructor(fields) {
      Object.assign(this, fields);
    }
  }
);

/** An approval: its fields are those of the HTTP interface, under the same names. */
export class Approval extends Fields {
  /** Whether nothing can change its outcome any more. */
  get isFinal() {
    return FINAL.has(this.status);
  }

  /** Whether somebody said yes, and that is final. */
  get approved() {
    return this.status === 'approved';
  }

  /**
   * What was approved: the payload as the approver edited it, otherwise as it was asked.
   *
   * @returns {any}
   */
  get effectivePayload() {
    return this.edited_payload ?? this.payload;
  }

  /** The digest of what was approved. */
  get effectiveDigest() {
    return this.edited_payload_digest ?? this.payload_digest;
  }

  /** Throw the error that its status stands for, unless it is approved. */
  requireApproved() {
    if (this.approved) return;
    const kinds = { rejected: Rejected, withdrawn: Withdrawn, expired: Expired };
    const status = /** @type {keyof typeof kinds} */ (this.status);
    throw new (kinds[status] ?? NotDecidedInTime)(/** @type {any} */ (this));
  }

  /**
   * Reject unless exactly this payload was approved: call it before doing the thing.
   *
   * @param {unknown} payload
   * @returns {Promise<void>}
   */
  async check(payload) {
    this.requireApproved();
    const digest = await payloadDigest(payload);
    if (digest !== this.effectiveDigest) {
      throw new ArgumentsChanged(
        `What is about to run is not what was approved in ${this.id}: its digest is ${digest}, ` +
          `and ${this.effectiveDigest} was approved. Nothing was run; ask again for what it is now.`,
      );
    }
  }
}

/** One page of a list; `for await` goes through this page and all that follow. */
export class Page {
  #next;

  /**
   * @param {{ data: ApprovalFields[], next_cursor?: string | null, count?: number }} content
   * @param {(cursor: string) => Promise<Page>} next
   */
  constructor(content, next) {
    this.data = content.data.map((fields) => new Approval(fields));
    this.next_cursor = content.next_cursor ?? null;
    this.count = content.count ?? null;
    this.#next = next;
  }

  async *[Symbol.asyncIterator]() {
    /** @type {Page} */
    let page = this;
    for (;;) {
      yield* page.data;
      if (page.next_cursor === null) return;
      page = await page.#next(page.next_cursor);
    }
  }
}
