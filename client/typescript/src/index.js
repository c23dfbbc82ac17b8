/** What the client exports; `placet.d.ts` describes it. */

export { Approval } from './approval.js';
export { Placet } from './client.js';
export { payloadDigest } from './digest.js';
export {
  AlreadyCarriedOut,
  AlreadyResolved,
  ArgumentsChanged,
  BadSignature,
  Conflict,
  Expired,
  Invalid,
  NotAllowed,
  NotApproved,
  NotDecidedInTime,
  NotFound,
  PlacetError,
  Rejected,
  StaleRevision,
  Unavailable,
  Withdrawn,
  WrongAddress,
  WrongKey,
} from './errors.js';
export { requiresApproval } from './gate.js';
export { verifyWebhook } from './webhooks.js';
