/** A function behind an approval, on the real server. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { Placet, payloadDigest, requiresApproval } from '../placet.js';
import { APPROVER, approver, ask, eventually, real, requester } from '../testing/placet.js';
import { approval, problem, stub } from '../testing/stub.js';

/** Options of a gate whose asks no other test makes. */
function gate(more = {}) {
  const type = `gate-${randomUUID()}`;
  return { client: requester(), type, approvers: [APPROVER], ...more };
}

/** Answer the only ask of a gate, once it is listed; its approval. */
async function answered(options, decision) {
  const { approvals } = approver();
  const [asked] = await eventually(async () => {
    const { data } = await approvals.list({ type: options.type });
    return data.length ? data : null;
  }, 'it is asked');
  await approvals.decide(asked.id, decision);
  return asked;
}

test('what is approved runs with its arguments, and the outcome is acknowledged', real, async () => {
  const options = gate({ title: (sum) => `Pay ${sum}` });
  const pay = requiresApproval(options, async (sum, to) => `${sum} to ${to}`);
  const paying = pay(5, 'ann');
  const asked = await answered(options, { decision: 'approve' });
  assert.deepEqual([asked.title, asked.payload], ['Pay 5', { arguments: [5, 'ann'] }]);
  assert.equal(await paying, '5 to ann');
  assert.ok((await requester().approvals.get(asked.id)).acknowledged_at);
});

test('what is rejected does not run', real, async () => {
  const options = gate();
  const paying = requiresApproval(options, () => assert.fail('ran'))({ sum: 5 });
  await Promise.all([
    assert.rejects(paying, (error) => {
      assert.deepEqual([error.name, error.approval.decision_reason], ['Rejected', 'Too much']);
      return true;
    }),
    answered(options, { decision: 'deny', reason: 'Too much' }),
  ]);
});

test('what needs no approval runs at once', async () => {
  const options = { client: new Placet({ url: 'http://127.0.0.1:1', key: 'none' }), type: 'pay' };
  const pay = requiresApproval({ ...options, when: async (sum) => sum > 100 }, (sum) => sum * 2);
  assert.equal(await pay(5), 10);
});

test('arguments that changed meanwhile do not run', real, async () => {
  const options = gate();
  const order = { to: ['ann'] };
  const sending = requiresApproval(options, () => assert.fail('ran'))(order);
  const refused = assert.rejects(sending, { name: 'ArgumentsChanged' });
  await eventually(
    async () => (await requester().approvals.list({ type: options.type })).data.length,
    'it is asked',
  );
  order.to.push('eve');
  await answered(options, { decision: 'approve' });
  await refused;
});

test('what an approver edited is what runs', real, async () => {
  const options = gate({ editable: true });
  const paying = requiresApproval(options, (order) => order)({ sum: 5 });
  await answered(options, { decision: 'approve', payload: { sum: 4 } });
  assert.deepEqual(await paying, { sum: 4 });

  const several = gate({ editable: true });
  const summed = requiresApproval(several, (sum, to) => `${sum} to ${to}`)(5, 'ann');
  const refused = assert.rejects(summed, { name: 'ArgumentsChanged' });
  await answered(several, { decision: 'approve', payload: { sum: 4 } });
  await refused;

  const own = gate({
    editable: true,
    payload: (sum, to) => ({ sum, to }),
    apply: (payload) => [payload.sum, payload.to],
  });
  const paid = requiresApproval(own, (sum, to) => `${sum} to ${to}`)(5, 'ann');
  await answered(own, { decision: 'approve', payload: { sum: 3, to: 'ben' } });
  assert.equal(await paid, '3 to ben');
});

test('after the time the approval is withdrawn, and the fallback runs', real, async () => {
  const options = gate({ timeout: 1, onTimeout: (sum) => `a draft of ${sum}` });
  const pay = requiresApproval(options, () => assert.fail('ran'));
  assert.equal(await pay(5), 'a draft of 5');
  const { data } = await requester().approvals.list({ type: options.type });
  const asked = await requester().approvals.get(data[0].id);
  assert.deepEqual([asked.status, asked.withdrawn_cause], ['withdrawn', 'recalled']);
});

test('after the time the approval is withdrawn, and without a fallback that is told', real, async () => {
  const options = gate({ timeout: 1, onTimeout: 'raise' });
  const late = await requiresApproval(options, () => assert.fail('ran'))(5).catch((error) => error);
  assert.deepEqual([late.name, late.approval.status], ['NotDecidedInTime', 'withdrawn']);
  const found = await requester().approvals.get(late.approval.id);
  const lives = Date.parse(found.expires_at) - Date.parse(found.created_at);
  assert.ok(lives <= 61_000, `it expires by itself after ${lives} ms`);
});

test('one key is one approval and one action, however often it is called', real, async () => {
  const key = randomUUID();
  const options = gate({ idempotencyKey: () => key, reason: (sum) => `It is ${sum}` });
  let runs = 0;
  const pay = requiresApproval(options, () => (runs += 1));
  const stop = new AbortController();
  const first = pay(5).catch((error) => error);
  const impatient = requiresApproval({ ...options, signal: stop.signal }, () => assert.fail('ran'));
  const second = impatient(5).catch((error) => error);
  await eventually(
    async () => (await requester().approvals.list({ type: options.type })).data.length === 1,
    'it is asked once',
  );
  stop.abort(new Error('gone home'));
  assert.equal((await second).message, 'gone home');
  const asked = await answered(options, { decision: 'approve' });
  assert.equal(asked.reason, 'It is 5');
  assert.equal(await first, 1);
  await assert.rejects(pay(5), { name: 'AlreadyCarriedOut' });
  assert.equal(runs, 1);
});

test('an answer in the last moment holds against the fallback', async (t) => {
  const payload = { sum: 5 };
  const payload_digest = await payloadDigest(payload);
  const decided = approval({ status: 'approved', payload, payload_digest });
  const server = await stub(t, [
    { status: 201, body: approval() },
    { body: approval() },
    problem(409, 'already_resolved', { approval: decided }),
    { body: decided },
  ]);
  const onTimeout = () => assert.fail('fell back');
  const options = { client: server.placet(), type: 'pay', timeout: 0, onTimeout };
  assert.equal(await requiresApproval(options, ({ sum }) => sum)(payload), 5);
  assert.match(server.calls[2].path, /withdraw$/);
});

test('no fallback runs while the approval cannot be withdrawn', async (t) => {
  const pending = { body: approval() };
  for (const [refusal, name] of [
    [problem(503, 'unavailable'), 'Unavailable'],
    [problem(403, 'not_the_requester'), 'NotAllowed'],
  ]) {
    const expired = { body: approval({ status: 'expired' }) };
    const server = await stub(t, [pending, pending, refusal, expired]);
    const onTimeout = () => assert.fail('fell back');
    const client = server.placet({ attempts: 1 });
    const pay = requiresApproval({ client, type: 'pay', timeout: 0, onTimeout }, () => null);
    await assert.rejects(pay(5), { name });
  }
});

test("a failure of the action is the caller's, and is not acknowledged", real, async () => {
  const options = gate();
  const paying = requiresApproval(options, async () => {
    throw new RangeError('no money');
  })(5);
  const failed = assert.rejects(paying, RangeError);
  const asked = await answered(options, { decision: 'approve' });
  await failed;
  assert.equal((await requester().approvals.get(asked.id)).acknowledged_at, null);
});

test('options that cannot work are refused when they are given', () => {
  const wrap = (more) => () => requiresApproval({ ...ask(), ...more }, () => null);
  assert.throws(wrap({ payload: () => ({}), editable: true }), TypeError);
  assert.throws(wrap({ payload: undefined, onTimeout: 'ignore' }), TypeError);
});
