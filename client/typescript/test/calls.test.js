/** Retries, limits and what comes back, on a server that answers as a test says. */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';

import {
  Conflict,
  Invalid,
  Placet,
  PlacetError,
  Unavailable,
  WrongAddress,
  WrongKey,
} from '../placet.js';
import { approval, problem, stub } from '../testing/stub.js';

const ASK = { type: 'expense', title: 'Dinner' };

for (const away of [problem(503, 'unavailable'), problem(429, 'too_many'), 'hang up']) {
  test(`an ask is repeated under one key after ${away.status ?? away}`, async (t) => {
    const server = await stub(t, [away, away, { status: 201, body: approval() }]);
    const body = { ...ASK, payload: { to: ['ann@example.com'] } };
    const asking = server.placet().approvals.create(body);
    body.payload.to.push('eve@example.com');
    assert.equal((await asking).id, 'a1');
    assert.equal(server.calls.length, 3);
    const [first, ...again] = server.calls;
    assert.ok(first.headers['idempotency-key'].length >= 16);
    assert.deepEqual(JSON.parse(first.body).payload, { to: ['ann@example.com'] });
    for (const call of again) {
      assert.equal(call.headers['idempotency-key'], first.headers['idempotency-key']);
      assert.equal(call.body, first.body);
    }
  });
}

test('each ask has a key of its own, and so has each comment', async (t) => {
  const server = await stub(t, [{ status: 201, body: approval() }]);
  const { approvals } = server.placet();
  await approvals.create(ASK);
  await approvals.create(ASK);
  await approvals.comment('a1', 'Hello');
  await approvals.comment('a1', 'Hello');
  const keys = server.calls.map(({ headers }) => headers['idempotency-key']);
  assert.equal(new Set(keys).size, 4);
});

for (const [how, headers] of [
  ['seconds', () => ({ 'retry-after': '1' })],
  ['a date', () => ({ 'retry-after': new Date(Date.now() + 2000).toUTCString() })],
]) {
  test(`Retry-After in ${how} is honoured`, async (t) => {
    const away = problem(503, 'unavailable', {}, headers());
    const server = await stub(t, [away, { body: approval() }]);
    await server.placet().approvals.get('a1');
    const [first, second] = server.calls;
    assert.ok(second.at - first.at > 900, `${second.at - first.at} ms`);
  });
}

test('a server that wants to be left alone for long is left alone', async (t) => {
  const server = await stub(t, [problem(503, 'unavailable', {}, { 'retry-after': '3600' })]);
  await assert.rejects(server.placet().approvals.get('a1'), { retryAfter: 3600 });
  assert.equal(server.calls.length, 1);
});

test('attempts have an end', async (t) => {
  const server = await stub(t, [problem(503, 'unavailable')]);
  await assert.rejects(server.placet({ attempts: 3 }).approvals.get('a1'), (error) => {
    assert.ok(error instanceof Unavailable);
    assert.deepEqual([error.code, error.status], ['unavailable', 503]);
    return true;
  });
  assert.equal(server.calls.length, 3);
});

test('what cannot help is not repeated', async (t) => {
  for (const [status, code, kind] of [
    [409, 'revision_reused', Conflict],
    [422, 'invalid', Invalid],
    [500, 'internal', PlacetError],
  ]) {
    const server = await stub(t, [problem(status, code)]);
    await assert.rejects(server.placet().approvals.create(ASK), (error) => {
      assert.equal(error.constructor, kind);
      assert.equal(error.code, code);
      return true;
    });
    assert.equal(server.calls.length, 1);
  }
});

test('a server that does not answer is given up', async (t) => {
  const server = await stub(t, ['hang']);
  const placet = server.placet({ timeout: 0.2, attempts: 2 });
  await assert.rejects(placet.approvals.get('a1'), { name: 'Unavailable', message: /0.2 s/ });
  assert.equal(server.calls.length, 2);
});

test('an abort ends a call and the pause between two', async (t) => {
  for (const answer of ['hang', problem(503, 'unavailable', {}, { 'retry-after': '30' })]) {
    const server = await stub(t, [answer]);
    const signal = AbortSignal.timeout(200);
    const call = server.placet().approvals.create(ASK, { signal });
    await assert.rejects(call, { name: 'TimeoutError' });
    assert.equal(server.calls.length, 1);
  }
});

test('another program at the address is told from Placet', async (t) => {
  const page = { status: 200, text: '<html></html>' };
  const redirect = { status: 301, headers: { location: '/elsewhere' } };
  const lost = { status: 404, text: 'not here' };
  for (const answer of [page, redirect, lost]) {
    const server = await stub(t, [answer, { body: approval() }]);
    await assert.rejects(server.placet().approvals.get('a1'), WrongAddress);
    assert.equal(server.calls.length, 1);
  }
});

test('a call says what it was given, and leaves out what it was not', async (t) => {
  const page = { body: { data: [], next_cursor: null } };
  const server = await stub(t, [page, { status: 201, body: approval() }]);
  const { approvals } = server.placet({ key: ' plk_padded\n' });
  await approvals.list({ acknowledged: false, subject: 'a b&c', type: undefined });
  await approvals.create({ ...ASK, reason: null, payload: { note: null } });
  const [listed, asked] = server.calls;
  assert.equal(listed.path, '/v1/approvals?acknowledged=false&subject=a+b%26c');
  assert.equal(listed.headers.authorization, 'Bearer plk_padded');
  assert.deepEqual(JSON.parse(asked.body), { ...ASK, payload: { note: null } });
});

test('what JSON would lose in silence is not sent', async (t) => {
  const server = await stub(t, [{ status: 201, body: approval() }]);
  for (const wrong of [NaN, new Map([['a', 1]]), 1n, '\ud800']) {
    await assert.rejects(server.placet().approvals.create({ ...ASK, payload: { wrong } }), TypeError);
  }
  assert.equal(server.calls.length, 0);
});

test('an address that is none is refused, without repeating what it holds', () => {
  for (const url of ['placet.example.com', 'ftp://example.com', 'http://ann:secret@example.com']) {
    assert.throws(
      () => new Placet({ url, key: 'plk_test' }),
      (error) => error instanceof WrongAddress && !error.message.includes('secret'),
    );
  }
});

test('a key that is none is refused, and no key is shown', () => {
  for (const key of ['', ' ', 's3cret\u00e9', 's3cret x']) {
    assert.throws(
      () => new Placet({ url: 'http://127.0.0.1:1', key }),
      (error) => error instanceof WrongKey && !error.message.includes('s3cret'),
    );
  }
  const placet = new Placet({ url: 'http://127.0.0.1:1', key: 'plk_s3cret' });
  assert.ok(!inspect(placet, { depth: null, showHidden: true }).includes('s3cret'));
});
