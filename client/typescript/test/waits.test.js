/** Waits, on the real server; and what a wait bears, on one that answers as a test says. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NotDecidedInTime, Unavailable } from '../placet.js';
import { approver, ask, real, requester } from '../testing/placet.js';
import { approval, problem, stub } from '../testing/stub.js';

test('a wait is answered by the decision', real, async () => {
  const asked = await requester().approvals.create(ask());
  let over = false;
  const waiting = requester()
    .approvals.wait(asked.id, { timeout: 60 })
    .finally(() => (over = true));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(over, false);
  await approver().approvals.decide(asked.id, { decision: 'deny', reason: 'Not this month' });
  const ended = await waiting;
  assert.deepEqual([ended.status, ended.decision_reason], ['rejected', 'Not this month']);
  assert.throws(() => ended.requireApproved(), { name: 'Rejected', message: /Not this month/ });
});

test('who comes late is answered at once', real, async () => {
  const { approvals } = requester();
  const asked = await approvals.create(ask());
  await approvals.withdraw(asked.id);
  assert.equal((await approvals.wait(asked.id)).status, 'withdrawn');
});

test('a wait that is over says how it stands', real, async () => {
  const { approvals } = requester();
  const asked = await approvals.create(ask());
  for (const timeout of [0, 1]) {
    await assert.rejects(approvals.wait(asked.id, { timeout }), (error) => {
      assert.ok(error instanceof NotDecidedInTime);
      assert.deepEqual([error.approval.id, error.approval.status], [asked.id, 'pending']);
      return true;
    });
  }
});

test('a wait ends when it is aborted, with the reason', real, async () => {
  const { approvals } = requester();
  const asked = await approvals.create(ask());
  const stop = new AbortController();
  const waiting = approvals.wait(asked.id, { signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 200);
  await assert.rejects(waiting, { message: 'enough' });
  await assert.rejects(approvals.wait(asked.id, { signal: stop.signal }), { message: 'enough' });
});

test('a wait outlasts a server that goes and comes back', async (t) => {
  const away = problem(503, 'unavailable');
  const final = { body: approval({ status: 'approved' }) };
  const server = await stub(t, [away, 'hang up', away, { body: approval() }, final]);
  const ended = await server.placet({ attempts: 1 }).approvals.wait('a1', { timeout: 60 });
  assert.equal(ended.status, 'approved');
  assert.equal(server.calls.length, 5);
});

test('a wait does not press a server that ends it early', async (t) => {
  const server = await stub(t, [{ body: approval() }]);
  await assert.rejects(server.placet().approvals.wait('a1', { timeout: 2 }), NotDecidedInTime);
  assert.ok(server.calls.length < 15, `${server.calls.length} calls in 2 s`);
});

test('a wait ends with its time though the server is away', async (t) => {
  const server = await stub(t, [problem(503, 'unavailable')]);
  await assert.rejects(server.placet().approvals.wait('a1', { timeout: 1 }), Unavailable);
});
