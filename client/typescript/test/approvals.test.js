/** Each verb, on the real server. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import {
  AlreadyResolved,
  Approval,
  Invalid,
  NotAllowed,
  NotFound,
  StaleRevision,
  WrongKey,
  payloadDigest,
} from '../placet.js';
import { APPROVER, REQUESTER, approver, ask, eventually, real, requester } from '../testing/placet.js';

test('an ask is durable and is read back', real, async () => {
  const { approvals } = requester();
  const asked = await approvals.create(ask({ reason: 'Team event', revision: 7, urgency: null }));
  assert.ok(asked instanceof Approval);
  assert.deepEqual([asked.status, asked.isFinal, asked.approved], ['pending', false, false]);
  assert.deepEqual([asked.revision, asked.urgency], ['7', 'medium']);
  assert.equal(asked.requester.email, REQUESTER);
  const found = await approvals.get(asked.id);
  assert.deepEqual([found.id, found.reason, found.payload], [asked.id, 'Team event', asked.payload]);
  assert.equal(found.payload_digest, await payloadDigest(found.payload));
});

test('a time may be given as a Date', real, async () => {
  const expires_at = new Date(Date.now() + 3_600_000);
  const asked = await requester().approvals.create(ask({ expires_at }));
  assert.equal(new Date(asked.expires_at).getTime(), expires_at.getTime());
});

test('the same key and ask give the same approval, another ask is refused', real, async () => {
  const { approvals } = requester();
  const body = ask();
  const idempotencyKey = randomUUID();
  const first = await approvals.create(body, { idempotencyKey });
  const again = await approvals.create(body, { idempotencyKey });
  assert.equal(again.id, first.id);
  await assert.rejects(approvals.create(ask(), { idempotencyKey }), (error) => {
    assert.ok(error instanceof Invalid);
    assert.equal(error.code, 'idempotency_key_reused');
    return true;
  });
  assert.notEqual((await approvals.create(body)).id, first.id);
});

test('what was sent wrongly is named', real, async () => {
  await assert.rejects(requester().approvals.create(ask({ title: '' })), (error) => {
    assert.ok(error instanceof Invalid);
    assert.equal(error.status, 422);
    assert.deepEqual(
      error.errors.map(({ pointer }) => pointer),
      ['/title'],
    );
    return true;
  });
});

test('the loop of seed 003 reads what is pending', real, async () => {
  const client = requester();
  const checkpoint = `review-${randomUUID()}`;
  await client.approvals.create(ask({ checkpoint_name: checkpoint }));
  const seen = await eventually(async () => {
    const lines = [];
    const approvals = await client.approvals.list({ status: 'pending' });
    for (const approval of approvals.data) {
      lines.push(`${approval.checkpoint_name} - ${approval.created_at}`);
    }
    return lines.find((line) => line.startsWith(checkpoint));
  }, 'it is listed');
  assert.match(seen, / - \d{4}-\d\d-\d\dT.*Z$/);
});

test('a list goes on over all its pages', real, async () => {
  const { approvals } = requester();
  const type = `paged-${randomUUID()}`;
  const asked = [];
  for (let count = 0; count < 5; count += 1) {
    asked.push((await approvals.create(ask({ type }))).id);
  }
  const filters = { type, limit: 2 };
  await eventually(async () => (await ids(await approvals.list(filters))).length === 5, 'all five');
  const page = await approvals.list(filters);
  assert.equal(page.data.length, 2);
  assert.equal(typeof page.next_cursor, 'string');
  assert.deepEqual((await ids(page)).sort(), [...asked].sort());
  const { data, next_cursor } = await approvals.list({ ...filters, cursor: page.next_cursor });
  assert.equal(data.length, 2);
  assert.notEqual(next_cursor, page.next_cursor);
  await assert.rejects(approvals.list({ ...filters, limit: 0 }), Invalid);
});

test('a queue is what somebody still needs to complete', real, async () => {
  const { approvals } = approver();
  const asked = await requester().approvals.create(ask());
  const mine = (page) => ids(page).then((found) => found.includes(asked.id));
  await eventually(async () => mine(await approvals.queue({ limit: 1 })), 'it waits for me');
  const page = await requester().approvals.queue({ approver: APPROVER });
  assert.ok(page.count >= 1);
  assert.ok(await mine(page));
  assert.equal((await approvals.queue({ approver: 'nobody@example.com' })).count, 0);
  await approvals.decide(asked.id, { decision: 'deny' });
  await eventually(async () => !(await mine(await approvals.queue())), 'it left the queue');
});

test('an answer is final, and who comes second reads who won', real, async () => {
  const { approvals } = approver();
  const asked = await requester().approvals.create(ask());
  const decision = { decision: 'approved', reason: 'Looks right' };
  const decided = await approvals.decide(asked.id, decision);
  assert.deepEqual([decided.status, decided.approved, decided.isFinal], ['approved', true, true]);
  assert.equal(decided.decision_reason, 'Looks right');
  assert.equal((await approvals.decide(asked.id, decision)).decided_at, decided.decided_at);
  await assert.rejects(approvals.decide(asked.id, { decision: 'rejected' }), (error) => {
    assert.ok(error instanceof AlreadyResolved);
    assert.equal(error.status, 409);
    assert.ok(error.approval instanceof Approval);
    assert.deepEqual([error.approval.id, error.approval.decided_by], [asked.id, APPROVER]);
    return true;
  });
});

test('an answer to another revision is refused with what it is now', real, async () => {
  const asked = await requester().approvals.create(ask({ revision: '2' }));
  const stale = approver().approvals.decide(asked.id, { decision: 'approve', revision: 1 });
  await assert.rejects(stale, (error) => {
    assert.ok(error instanceof StaleRevision);
    assert.deepEqual([error.approval.revision, error.approval.status], ['2', 'pending']);
    return true;
  });
  const fresh = { decision: 'approve', revision: 2 };
  assert.ok((await approver().approvals.decide(asked.id, fresh)).approved);
});

test('a recall is final', real, async () => {
  const { approvals } = requester();
  const asked = await approvals.create(ask());
  const withdrawn = await approvals.withdraw(asked.id, { reason: 'No need' });
  assert.deepEqual([withdrawn.status, withdrawn.withdrawn_reason], ['withdrawn', 'No need']);
  assert.equal((await approvals.withdraw(asked.id)).withdrawn_reason, 'No need');
  assert.throws(() => withdrawn.requireApproved(), { name: 'Withdrawn', approval: withdrawn });
});

test('only what is final is acknowledged, and then it is off the list', real, async () => {
  const { approvals } = requester();
  const type = `heard-${randomUUID()}`;
  const asked = await approvals.create(ask({ type }));
  await assert.rejects(approvals.acknowledge(asked.id), { name: 'Conflict', code: 'not_final' });
  await approver().approvals.decide(asked.id, { decision: 'approve' });
  const open = () => approvals.list({ type, acknowledged: false });
  await eventually(async () => (await open()).data.length === 1, 'it is to be heard');
  const heard = await approvals.acknowledge(asked.id);
  assert.equal(heard.acknowledged_by, REQUESTER);
  assert.equal((await approvals.acknowledge(asked.id)).acknowledged_at, heard.acknowledged_at);
  await eventually(async () => (await open()).data.length === 0, 'it is heard');
});

test('comments, history and links are kept', real, async () => {
  const { approvals } = requester();
  const link = { kind: 'issue', id: 'ACME-1', url: 'https://issues.example.com/ACME-1' };
  const asked = await approvals.create(ask({ links: [link] }));
  const idempotencyKey = randomUUID();
  await approvals.comment(asked.id, 'Any news?', { idempotencyKey });
  await approvals.comment(asked.id, 'Any news?', { idempotencyKey });
  assert.deepEqual(await approvals.links(asked.id), [link]);
  const types = (await approvals.history(asked.id)).map(({ type }) => type);
  assert.equal(types[0], 'approval.requested');
  assert.equal(types.filter((type) => type === 'approval.commented').length, 1);
});

test('what an approver changed is what was approved', real, async () => {
  const asked = await requester().approvals.create(ask({ editable: true }));
  const payload = { ...asked.payload, amount: 4 };
  const decision = { decision: 'approve', payload };
  const decided = await approver().approvals.decide(asked.id, decision);
  assert.deepEqual(decided.effectivePayload, payload);
  await decided.check(payload);
  await assert.rejects(decided.check(asked.payload), { name: 'ArgumentsChanged' });
});

test('what there is not is not found', real, async () => {
  const { approvals } = requester();
  for (const id of ['0'.repeat(27), '../queue', '..', '']) {
    await assert.rejects(approvals.get(id), NotFound);
    await assert.rejects(approvals.wait(id, { timeout: 0 }), NotFound);
  }
  await assert.rejects(approvals.decide(undefined, { decision: 'approve' }), TypeError);
});

test('a wrong key and a missing scope are told apart, and no key is shown', real, async () => {
  const key = 'plk_nobody_has_this';
  await assert.rejects(requester({ key }).approvals.list(), (error) => {
    assert.ok(error instanceof WrongKey);
    assert.ok(!error.message.includes(key));
    return true;
  });
  const asked = await requester().approvals.create(ask());
  await assert.rejects(requester().approvals.decide(asked.id, { decision: 'approve' }), (error) => {
    assert.ok(error instanceof NotAllowed);
    assert.match(error.message, /approvals:decide/);
    return true;
  });
});

/** @param {AsyncIterable<Approval>} page */
async function ids(page) {
  const found = [];
  for await (const approval of page) found.push(approval.id);
  return found;
}
