/** Puts a function behind an approval: it runs with what was approved, or not at all. */

import { Placet } from './client.js';
import {
  AlreadyCarriedOut,
  AlreadyResolved,
  ArgumentsChanged,
  NotDecidedInTime,
  PlacetError,
} from './errors.js';

/** @import { Approval } from './approval.js' */

/** How long an answer that is on its way to its source may take once the time is over. */
const SETTLING_S = 30;
/** How long after the requester stopped waiting an approval expires by itself. */
const EXPIRES_AFTER_S = 60;
/** How long a result is held back for its acknowledgement. */
const ACKNOWLEDGE_WITHIN_MS = 10_000;

/**
 * Return a function that asks before it runs `action`; `placet.d.ts` tells what the options do.
 *
 * @param {any} options
 * @param {(...args: any[]) => any} action
 * @returns {(...args: any[]) => Promise<any>}
 */
export function requiresApproval(options, action) {
  const { client, when, payload, apply, timeout, onTimeout = 'raise', ...more } = options;
  const { onQuestion, signal, ...said } = more;
  const hasFallback = typeof onTimeout === 'function';
  if (!hasFallback && onTimeout !== 'raise') throw new TypeError("onTimeout: 'raise' or a function");
  if (said.editable && payload && !apply) {
    throw new TypeError('editable: a payload of your own needs apply: how it becomes arguments');
  }
  const payloadOf = payload ?? asPayload;
  const argumentsOf = apply ?? asArguments;

  return async (...args) => {
    if (when && !(await when(...args))) return action(...args);
    const { idempotencyKey, ...ask } = Object.fromEntries(
      Object.entries(said).map(([name, value]) => [name, valueOf(value, args)]),
    );
    if (timeout !== undefined && !ask.expires_in && !ask.expires_at) {
      // Should this process not live to withdraw it.
      ask.expires_in = Math.max(1, Math.ceil(timeout)) + EXPIRES_AFTER_S;
    }
    ask.title ??= action.name || ask.type;
    ask.payload = await payloadOf(...args);
    // Made at the first call, so that wrapping needs no key.
    const { approvals } = client ?? new Placet();
    const asked = await approvals.create(ask, { idempotencyKey, signal });
    if (asked.approved && asked.acknowledged_at) throw new AlreadyCarriedOut(asked);
    const { approval, late } = await ended(approvals, asked, { timeout, onQuestion, signal });
    if (!approval.approved) {
      await acknowledge(approvals, approval);
      if (late && hasFallback) return onTimeout(...args);
      if (late && approval.status === 'withdrawn') throw new NotDecidedInTime(approval);
      approval.requireApproved();
    }
    const edited = approval.edited_payload ?? null;
    const approved = edited === null ? args : await argumentsOf(edited, ...args);
    // The caller may have changed its objects while it waited.
    await approval.check(await payloadOf(...approved));
    const done = await action(...approved);
    await acknowledge(approvals, approval);
    return done;
  };
}

/**
 * Return the approval as it ended, and whether that was for want of an answer.
 *
 * @param {Placet['approvals']} approvals
 * @param {Approval} asked
 * @param {import('../placet.js').WaitOptions} options
 * @returns {Promise<{ approval: Approval, late: boolean }>}
 */
async function ended(approvals, asked, options) {
  const { timeout, signal } = options;
  const ending = (/** @type {Approval} */ approval) => ({
    approval,
    late: approval.status === 'expired',
  });
  if (asked.isFinal) return ending(asked);
  try {
    return ending(await approvals.wait(asked.id, options));
  } catch (error) {
    if (!(error instanceof NotDecidedInTime) || timeout === undefined) throw error;
  }
  try {
    // So that nobody approves afterwards what is not waited for any more.
    const reason = `Nobody decided within ${timeout} s, and the requester waits no longer.`;
    return { approval: await approvals.withdraw(asked.id, { reason, signal }), late: true };
  } catch (error) {
    if (!(error instanceof AlreadyResolved)) throw error;
  }
  // Somebody answered in that moment: their answer holds.
  return ending(await approvals.wait(asked.id, { timeout: SETTLING_S, signal }));
}

/**
 * Say that the outcome was acted on, if that can be said: what was done must not look undone.
 *
 * @param {Placet['approvals']} approvals
 * @param {Approval} approval
 */
async function acknowledge(approvals, approval) {
  if (approval.acknowledged_at) return;
  const signal = AbortSignal.timeout(ACKNOWLEDGE_WITHIN_MS);
  try {
    await approvals.acknowledge(approval.id, { signal });
  } catch (error) {
    if (!(error instanceof PlacetError) && !signal.aborted) throw error;
  }
}

/**
 * @param {unknown} given a value, or a function of the arguments that returns it
 * @param {unknown[]} args
 */
function valueOf(given, args) {
  return typeof given === 'function' ? given(...args) : given;
}

/**
 * The payload of arguments: the only one if it is an object, otherwise all of them in a list.
 *
 * @param {...unknown} args
 */
function asPayload(...args) {
  const [only] = args;
  const isObject = typeof only === 'object' && only !== null && !Array.isArray(only);
  return args.length === 1 && isObject ? only : { arguments: args };
}

/**
 * The arguments of an edited payload that `asPayload` made of arguments like these.
 *
 * @param {any} payload
 * @param {...unknown} args
 */
function asArguments(payload, ...args) {
  if (asPayload(...args) === args[0]) return [payload];
  if (Array.isArray(payload?.arguments)) return payload.arguments;
  throw new ArgumentsChanged(
    "The approver's edit does not fit the function: it takes a list of arguments. Nothing was run.",
  );
}
