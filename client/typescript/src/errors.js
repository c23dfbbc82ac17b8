/** Errors, each named for what its receiver must do. */

/** @import { Approval, Problem, FieldError } from '../placet.js' */

/** Anything that went wrong with Placet; `code` and `status` are those of its problem document. */
export class PlacetError extends Error {
  /**
   * @param {string} message
   * @param {{ problem?: Problem | null, retryAfter?: number | null, cause?: unknown }} [more]
   */
  constructor(message, { problem = null, retryAfter = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.problem = problem;
    this.code = problem?.code ?? null;
    this.status = problem?.status ?? null;
    this.retryAfter = retryAfter;
  }
}

/** The key is wrong, revoked or expired: use another one. */
export class WrongKey extends PlacetError {}

/** The key may not do this: ask for a scope, or let somebody else do it. */
export class NotAllowed extends PlacetError {}

/** There is no such approval in this key's workspace. */
export class NotFound extends PlacetError {}

/** It is not as you thought: look at `approval`, which is how it stands, and decide anew. */
export class Conflict extends PlacetError {
  /**
   * @param {string} message
   * @param {{ problem?: Problem | null, approval?: Approval | null }} [more]
   */
  constructor(message, { problem = null, approval = null } = {}) {
    super(message, { problem });
    this.approval = approval;
  }
}

/** Somebody was first: `approval` says who and how. */
export class AlreadyResolved extends Conflict {}

/** It changed since you saw it: look again. */
export class StaleRevision extends Conflict {}

/** What was sent is wrong: `errors` name the fields. */
export class Invalid extends PlacetError {
  /**
   * @param {string} message
   * @param {{ problem?: Problem | null }} [more]
   */
  constructor(message, { problem = null } = {}) {
    super(message, { problem });
    /** @type {FieldError[]} */
    this.errors = problem?.errors ?? [];
  }
}

/** Placet cannot be reached, or cannot serve now, and repeating did not help: come again later. */
export class Unavailable extends PlacetError {}

/** Something answered that is not Placet, or the address is none: correct it. */
export class WrongAddress extends PlacetError {}

/** It is not approved: do not do it. `approval` is how it is now. */
export class NotApproved extends PlacetError {
  /**
   * @param {Approval} approval
   * @param {string} [message]
   */
  constructor(approval, message = `${named(approval)} is ${approval.status}.`) {
    super(message);
    this.approval = approval;
  }
}

/** Somebody said no. */
export class Rejected extends NotApproved {
  /** @param {Approval} approval */
  constructor(approval) {
    const why = approval.decision_reason ? `: ${approval.decision_reason}` : '.';
    super(approval, `${named(approval)} was rejected by ${approval.decided_by}${why}`);
  }
}

/** It was recalled, settled elsewhere, or superseded by `approval.superseded_by`. */
export class Withdrawn extends NotApproved {
  /** @param {Approval} approval */
  constructor(approval) {
    const why = approval.withdrawn_reason ? `: ${approval.withdrawn_reason}` : '.';
    super(approval, `${named(approval)} was withdrawn${why}`);
  }
}

/** Nobody decided before it expired: ask again if it is still wanted. */
export class Expired extends NotApproved {
  /** @param {Approval} approval */
  constructor(approval) {
    super(approval, `${named(approval)} expired before anybody decided.`);
  }
}

/** Nobody decided within the time that was waited; it may still be decided later. */
export class NotDecidedInTime extends NotApproved {
  /** @param {Approval} approval */
  constructor(approval) {
    const now = `it is ${approval.status}`;
    super(approval, `Nobody decided on ${named(approval)} within the time that was waited: ${now}.`);
  }
}

/** What this approval allowed was done and acknowledged before: one approval, one action. */
export class AlreadyCarriedOut extends PlacetError {
  /** @param {Approval} approval */
  constructor(approval) {
    super(
      `${named(approval)} was approved, carried out and acknowledged before. ` +
        'Use another idempotency key to ask for another action.',
    );
    this.approval = approval;
  }
}

/** What is about to run is not what was approved: do not run it; ask again for what it is. */
export class ArgumentsChanged extends PlacetError {}

/** The webhook was not signed with this secret, or not lately: answer 401 and do nothing. */
export class BadSignature extends PlacetError {}

/** @param {Approval} approval */
function named(approval) {
  return `'${approval.title}' (${approval.id})`;
}
