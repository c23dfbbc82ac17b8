/** The real Placet that `tests/typescript` starts, and two people who call it. */

import { randomUUID } from 'node:crypto';

import { Placet } from '../placet.js';

const { PLACET_URL, PLACET_TEST_REQUESTER_KEY, PLACET_TEST_APPROVER_KEY } = process.env;

export const APPROVER = process.env.PLACET_TEST_APPROVER;
export const REQUESTER = process.env.PLACET_TEST_REQUESTER;

/** Options of a test that needs the server. */
export const real = PLACET_URL ? {} : { skip: 'needs a Placet: run it by tests/typescript' };

/** @param {object} [more] */
export function requester(more) {
  return new Placet({ url: PLACET_URL, key: PLACET_TEST_REQUESTER_KEY, ...more });
}

/** @param {object} [more] */
export function approver(more) {
  return new Placet({ url: PLACET_URL, key: PLACET_TEST_APPROVER_KEY, ...more });
}

/** An ask that no other test makes. */
export function ask(more = {}) {
  const payload = { amount: 5, once: randomUUID() };
  return { type: 'expense', title: 'Dinner', payload, approvers: [APPROVER], ...more };
}

/**
 * What a look finds, as soon as it finds something.
 *
 * @template T
 * @param {() => Promise<T>} look
 * @param {string} what
 */
export async function eventually(look, what) {
  for (let left = 300; left > 0; left -= 1) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within 30 s: ${what}`);
}
