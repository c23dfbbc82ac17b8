/** Waits until an approval is final, and listens to what is asked back meanwhile. */

import { NotDecidedInTime, Unavailable } from './errors.js';
import { pause, sleep } from './http.js';
import { Listening } from './questions.js';

/**
 * @import { Approval } from './approval.js'
 * @import { Approvals, WaitOptions } from '../placet.js'
 */

/** How long the server is asked to wait at a time: below what most proxies cut. */
const POLL_S = 30;
/** The same where somebody listens: what is asked back does not end what the server holds. */
const LISTEN_S = 10;
/** Beyond the server's own wait, before an answer counts as missing. */
const GRACE_S = 10;
/** How long a wait goes on without any answer: a server may be started anew meanwhile. */
const AWAY_AT_MOST_S = 600;
/** How much longer than the approval may live a wait without `timeout` lasts at most. */
const AFTER_EXPIRY_S = 3600;
/** How long the clock of an approval stands still at most while the requester is asked. */
const ASKED_BACK_AT_MOST_S = 30 * 86_400;

/**
 * Return an approval once it is final; rejects with `NotDecidedInTime` when the time is over.
 *
 * @param {(held: number, within: number) => Promise<Approval>} look asks the server, which may
 *   hold its answer back for some seconds, and gives it some more to come
 * @param {Pick<Approvals, 'answer'>} approvals
 * @param {WaitOptions} options
 * @returns {Promise<Approval>}
 */
export async function untilFinal(look, approvals, { timeout, onQuestion, signal }) {
  const listening = onQuestion && new Listening(approvals, onQuestion);
  const began = now();
  let until = timeout === undefined ? Infinity : began + timeout;
  let heard = began;
  let hurried = 0;
  // A question may stand there already.
  let poll = listening ? 0 : POLL_S;
  for (;;) {
    const held = Math.max(0, Math.min(poll, Math.ceil(until - now())));
    const asked = now();
    let approval;
    try {
      approval = await look(held, held + GRACE_S);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const again = now() + Math.max(pause(hurried), error.retryAfter ?? 0);
      if (again > Math.min(until, heard + AWAY_AT_MOST_S)) throw error;
      await sleep(again - now(), signal);
      hurried += 1;
      continue;
    }
    const came = now();
    if (approval.isFinal) return approval;
    if (listening) {
      await listening.hear(approval, signal);
      poll = LISTEN_S;
    }
    heard = now();
    if (heard >= until) throw new NotDecidedInTime(/** @type {any} */ (approval));
    if (timeout === undefined) until = began + lifetime(approval) + AFTER_EXPIRY_S;
    // A server that stops ends its waits early: do not press it.
    hurried = came - asked < held / 2 ? hurried + 1 : 0;
    if (hurried) await sleep(Math.min(pause(hurried), until - heard), signal);
  }
}

/**
 * @param {Approval} approval
 * @returns {number} seconds
 */
function lifetime(approval) {
  const lives = (Date.parse(approval.expires_at) - Date.parse(approval.created_at)) / 1000;
  const asked = approval.asked_back ? ASKED_BACK_AT_MOST_S : 0;
  return Number.isNaN(lives) ? Infinity : lives + asked;
}

/** Seconds of a clock that nobody sets. */
function now() {
  return performance.now() / 1000;
}
