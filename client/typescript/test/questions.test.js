/** What is asked back while a program waits, and the calls around it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Conflict, Invalid, NotFound, requiresApproval } from '../placet.js';
import { REQUESTER, approver, ask, eventually, real, requester } from '../testing/placet.js';
import { approval, problem, stub } from '../testing/stub.js';

const AT = '2030-01-01T00:00:00Z';
const ASKED = {
  question_id: 'q1',
  by: { email: 'ann@example.com', name: 'Ann' },
  text: 'For how many people?',
  wants: 'answer',
  at: AT,
};
const asked = (more = {}) => ({ body: approval({ asked_back: { ...ASKED, ...more } }) });
const open = { body: approval() };
const approved = { body: approval({ status: 'approved' }) };

/** The bodies that were posted to a path that ends so. */
function posted(server, end) {
  const calls = server.calls.filter(({ method, path }) => method === 'POST' && path.endsWith(end));
  return calls.map(({ body }) => JSON.parse(body));
}

test('a question is heard once, and what is returned is its answer', async (t) => {
  const server = await stub(t, [asked(), open, asked(), approved]);
  const heard = [];
  const ended = await server.placet().approvals.wait('a1', {
    timeout: 60,
    onQuestion: async (question) => {
      heard.push(question);
      return 'For four';
    },
  });
  assert.equal(ended.status, 'approved');
  assert.equal(heard.length, 1);
  const [{ id, by, text, wants, asked_at, approval: about }] = heard;
  assert.deepEqual(
    [id, by, text, wants, asked_at, about.id],
    ['q1', 'ann@example.com', 'For how many people?', 'answer', AT, 'a1'],
  );
  // Each time that it still stands there, as after a lost answer, the same is said again.
  const same = { text: 'For four', question_id: 'q1' };
  assert.deepEqual(posted(server, '/answers').slice(0, 1), [same]);
});

test('who listens looks at once, and then does not wait long', async (t) => {
  const server = await stub(t, [open, asked(), asked(), approved]);
  await server.placet().approvals.wait('a1', { timeout: 60, onQuestion: () => null });
  assert.deepEqual(
    server.calls.map(({ path }) => path.split('?')[1]),
    ['timeout=0', 'timeout=10', 'timeout=10', 'timeout=10'],
  );
});

test('a question that is left to a person is told once, and the wait goes on', async (t) => {
  const server = await stub(t, [asked(), asked(), asked({ question_id: 'q2' }), approved]);
  const heard = [];
  const ended = await server.placet().approvals.wait('a1', {
    timeout: 60,
    onQuestion: ({ id }) => void heard.push(id),
  });
  assert.equal(ended.status, 'approved');
  assert.deepEqual(heard, ['q1', 'q2']);
  assert.deepEqual(posted(server, '/answers'), []);
});

test('without a listener a wait goes on as if nothing was asked', async (t) => {
  const server = await stub(t, [asked({ wants: 'changes' }), approved]);
  const ended = await server.placet().approvals.wait('a1', { timeout: 60 });
  assert.equal(ended.status, 'approved');
  assert.deepEqual(posted(server, '/answers'), []);
});

test('an answer that came too late, or did not arrive, does not end a wait', async (t) => {
  const late = problem(409, 'not_asked_back');
  const away = problem(503, 'unavailable');
  const server = await stub(t, [asked(), away, asked(), late, approved]);
  const placet = server.placet({ attempts: 1 });
  const ended = await placet.approvals.wait('a1', { timeout: 60, onQuestion: () => 'Four' });
  assert.equal(ended.status, 'approved');
  assert.equal(posted(server, '/answers').length, 2);
});

test('what a listener throws, and an answer that is none, end the wait', async (t) => {
  const server = await stub(t, [asked()]);
  const { approvals } = server.placet();
  const broken = approvals.wait('a1', { onQuestion: () => Promise.reject(new Error('no idea')) });
  await assert.rejects(broken, { message: 'no idea' });
  const odd = approvals.wait('a1', { onQuestion: /** @type {any} */ (() => 7) });
  await assert.rejects(odd, TypeError);
});

test('an approval that has votes, or is asked back, has not ended for a gate', async (t) => {
  const voted = { body: approval({ progress: { words: '1 of 2', approved: 1, needed: 2 } }) };
  const rejected = { body: approval({ status: 'rejected' }) };
  const server = await stub(t, [open, voted, asked(), open, rejected]);
  const heard = [];
  const pay = requiresApproval(
    {
      client: server.placet(),
      type: 'pay',
      timeout: 60,
      onQuestion: ({ text }) => {
        heard.push(text);
        return 'Four';
      },
    },
    () => assert.fail('ran'),
  );
  await assert.rejects(pay({ sum: 5 }), { name: 'Rejected' });
  assert.deepEqual(heard, ['For how many people?']);
  assert.deepEqual(posted(server, '/answers'), [{ text: 'Four', question_id: 'q1' }]);
});

test('an answer names the question that stands open, so that it can be repeated', async (t) => {
  const away = problem(503, 'unavailable');
  const server = await stub(t, [asked(), away, open]);
  await server.placet().approvals.answer('a1', 'Four');
  const said = { text: 'Four', question_id: 'q1' };
  assert.deepEqual(posted(server, '/answers'), [said, said]);
  await server.placet().approvals.answer('a1', 'Five', { questionId: 'q2' });
  assert.deepEqual(posted(server, '/answers').at(-1), { text: 'Five', question_id: 'q2' });
});

test('an answer where nobody asks is refused by the server', async (t) => {
  const server = await stub(t, [open, problem(409, 'not_asked_back')]);
  await assert.rejects(server.placet().approvals.answer('a1', 'Four'), (error) => {
    assert.ok(error instanceof Conflict);
    assert.equal(error.code, 'not_asked_back');
    return true;
  });
});

test('each call about the course of an approval says what it was given', async (t) => {
  const server = await stub(t, [open]);
  const { approvals } = server.placet();
  await approvals.askBack('a1', 'Why?', { wants: 'changes', revision: 2 });
  await approvals.revise('a1', { payload: { sum: 4 }, title: null, revision: 3 });
  await approvals.reassign('a1', { to: 'ben@example.com', reason: 'Away' });
  await approvals.remind('a1');
  await approvals.undo('a1', { approver: 'ann@example.com' });
  await approvals.acknowledge('a1', { effectivePayload: { sum: 3 } });
  assert.deepEqual(
    server.calls.map(({ method, path, body }) => [method, path, JSON.parse(body)]),
    [
      ['POST', '/v1/approvals/a1/questions', { text: 'Why?', wants: 'changes', revision: '2' }],
      ['POST', '/v1/approvals/a1/revise', { payload: { sum: 4 }, revision: '3' }],
      ['POST', '/v1/approvals/a1/reassign', { to: 'ben@example.com', reason: 'Away' }],
      ['POST', '/v1/approvals/a1/remind', {}],
      ['POST', '/v1/approvals/a1/undo', { approver: 'ann@example.com' }],
      ['POST', '/v1/approvals/a1/acknowledge', { effective_payload: { sum: 3 } }],
    ],
  );
  assert.ok(server.calls[0].headers['idempotency-key']);
});

test('a question that did not arrive is asked again under its own key', async (t) => {
  const server = await stub(t, ['hang up', open]);
  await server.placet().approvals.askBack('a1', 'Why?');
  const [first, again] = server.calls.map(({ headers }) => headers['idempotency-key']);
  assert.equal(first, again);
});

test('the refusals of a course are the errors that say what to do', async (t) => {
  for (const [status, code, kind] of [
    [409, 'already_answered', Conflict],
    [409, 'returned', Conflict],
    [409, 'too_often', Conflict],
    [422, 'cannot_reassign', Invalid],
  ]) {
    const server = await stub(t, [problem(status, code)]);
    const remind = server.placet().approvals.remind('a1');
    await assert.rejects(remind, (error) => error instanceof kind && error.code === code);
  }
});

test('people, delegations, policies and differences are read as they came', async (t) => {
  const found = { body: { data: [{ email: 'ann@example.com', name: 'expenses' }] } };
  const server = await stub(t, [found]);
  const placet = server.placet();
  const [person] = await placet.people.resolve(['ann@example.com']);
  assert.equal(person.email, 'ann@example.com');
  const [policy] = await placet.policies.list();
  assert.equal(policy.name, 'expenses');
  assert.equal((await placet.delegations.list({ person: 'ann@example.com' })).length, 1);
  const begins = new Date('2030-01-01T00:00:00Z');
  await placet.delegations.create({ to: 'ben@example.com', begins, ends: '2030-02-01T00:00:00Z' });
  await placet.delegations.end('d-1');
  await placet.people.get('ann+x@example.com');
  assert.equal((await placet.approvals.difference('a1')).data.length, 1);
  assert.deepEqual(
    server.calls.map(({ method, path }) => `${method} ${path}`),
    [
      'POST /v1/people/resolve',
      'GET /v1/policies',
      'GET /v1/delegations?person=ann%40example.com&limit=200',
      'POST /v1/delegations',
      'DELETE /v1/delegations/d-1',
      'GET /v1/people/ann%2Bx%40example.com',
      'GET /v1/approvals/a1/difference',
    ],
  );
  assert.deepEqual(JSON.parse(server.calls[3].body), {
    to: 'ben@example.com',
    begins: '2030-01-01T00:00:00.000Z',
    ends: '2030-02-01T00:00:00Z',
  });
  await assert.rejects(placet.delegations.end('../people'), NotFound);
});

test('delegations of all pages are listed', async (t) => {
  const first = { body: { data: [{ id: 'd1' }], next_cursor: 'n' } };
  const server = await stub(t, [first, { body: { data: [{ id: 'd2' }], next_cursor: null } }]);
  const found = await server.placet().delegations.list();
  assert.deepEqual(
    found.map(({ id }) => id),
    ['d1', 'd2'],
  );
  assert.equal(server.calls[1].path, '/v1/delegations?limit=200&cursor=n');
});

test('a wait without an end outlasts the time that the clock stands still', async (t) => {
  const real = performance.now.bind(performance);
  let later = 0;
  t.mock.method(performance, 'now', () => real() + later);
  const times = { created_at: AT, expires_at: '2030-01-01T00:01:00Z' };
  const standing = { body: approval({ ...times, asked_back: ASKED }) };
  const server = await stub(t, [standing, standing, approved]);
  const ended = await server.placet().approvals.wait('a1', {
    onQuestion: () => {
      later = 7 * 24 * 3_600_000;
    },
  });
  assert.equal(ended.status, 'approved');
});

test('a question is answered while it is waited for, and what is returned is changed', real, async () => {
  const { approvals } = requester();
  const one = await approvals.create(ask());
  const asks = await approver().approvals.askBack(one.id, 'For how many?');
  assert.equal(asks.asked_back?.text, 'For how many?');
  const heard = [];
  const waiting = approvals.wait(one.id, {
    timeout: 60,
    onQuestion: ({ text }) => {
      heard.push(text);
      return 'For four';
    },
  });
  await eventually(async () => (await approvals.get(one.id)).asked_back === null, 'it is answered');
  await approver().approvals.askBack(one.id, 'Cheaper, please', { wants: 'changes' });
  const revised = await approvals.revise(one.id, { payload: { amount: 4 } });
  assert.deepEqual([revised.revision, revised.asked_back], ['2', null]);
  await approver().approvals.decide(one.id, { decision: 'approve', revision: 2 });
  await (await waiting).check({ amount: 4 });
  assert.equal(heard[0], 'For how many?');
  const told = (await approvals.history(one.id)).map(({ summary }) => summary);
  assert.ok(told.includes(`${REQUESTER} answers: For four`), told.join('\n'));
});
