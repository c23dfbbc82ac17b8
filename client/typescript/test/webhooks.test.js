/** Webhooks: signatures that another implementation made are taken, all others are not. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { BadSignature, verifyWebhook } from '../placet.js';

const SECRET = `whsec_${Buffer.from('a secret of twenty-four!').toString('base64')}`;
const BODY = '{"type":"approval.decided","data":{"approval_id":"a1","title":"Ünïcode 😀"}}';
const NOW = new Date('2026-11-21T12:00:00Z');

function signed({ secret = SECRET, body = BODY, id = 'msg_1', at = NOW, version = 'v1' } = {}) {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `${version},${mac}`,
  };
}

const file = process.env.PLACET_TEST_VECTORS;
const given = file ? {} : { skip: 'needs the vectors that tests/typescript writes' };

test("a webhook that Python's standardwebhooks signed is taken", given, async () => {
  const { webhook } = JSON.parse(readFileSync(file, 'utf-8'));
  const now = new Date(webhook.at);
  const said = await verifyWebhook(webhook.body, webhook.headers, webhook.secret, { now });
  assert.deepEqual(said, JSON.parse(webhook.body));
});

test('the body may be text or bytes, the headers an object or Headers', async () => {
  const headers = signed();
  const bytes = new TextEncoder().encode(BODY);
  const padded = Buffer.concat([Buffer.from('x'), bytes]);
  const upper = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
  );
  for (const body of [BODY, bytes, bytes.buffer, padded.subarray(1)]) {
    for (const one of [headers, upper, new Headers(headers)]) {
      const said = await verifyWebhook(body, one, SECRET, { now: NOW });
      assert.equal(said.data.title, 'Ünïcode 😀');
    }
  }
});

test('while a secret is rotated one signature of several is enough', async () => {
  const other = signed({ secret: 'whsec_b3RoZXI=' })['webhook-signature'];
  const ours = signed();
  const headers = { ...ours, 'webhook-signature': `v1a,x ${other} ${ours['webhook-signature']}` };
  assert.equal((await verifyWebhook(BODY, headers, SECRET, { now: NOW })).type, 'approval.decided');
});

test('what is not signed by us, or not like this, is refused', async () => {
  const good = signed();
  const wrong = {
    'another secret': signed({ secret: 'whsec_b3RoZXI=' }),
    'another version': signed({ version: 'v2' }),
    'another id': { ...good, 'webhook-id': 'msg_2' },
    'another time': { ...good, 'webhook-timestamp': String(NOW.getTime() / 1000 + 1) },
    'no time': { ...good, 'webhook-timestamp': 'now' },
    'no signature': { ...good, 'webhook-signature': undefined },
    'an empty signature': { ...good, 'webhook-signature': 'v1,' },
    'a signature that is no base64': { ...good, 'webhook-signature': 'v1,%%%' },
    'half a signature': { ...good, 'webhook-signature': good['webhook-signature'].slice(0, 20) },
    'no id': { ...good, 'webhook-id': '' },
    'no headers': {},
  };
  for (const [what, headers] of Object.entries(wrong)) {
    await assert.rejects(verifyWebhook(BODY, headers, SECRET, { now: NOW }), BadSignature, what);
  }
  await assert.rejects(verifyWebhook(`${BODY} `, good, SECRET, { now: NOW }), BadSignature);
});

test('old webhooks and those from the future are refused', async () => {
  for (const seconds of [-301, 301]) {
    const at = new Date(NOW.getTime() + seconds * 1000);
    const verifying = verifyWebhook(BODY, signed({ at }), SECRET, { now: NOW });
    await assert.rejects(verifying, BadSignature);
    await verifyWebhook(BODY, signed({ at }), SECRET, { now: NOW, tolerance: 600 });
  }
});

test('a parsed body and a secret that is none are mistakes of the caller', async () => {
  await assert.rejects(verifyWebhook(JSON.parse(BODY), signed(), SECRET), /raw body/);
  await assert.rejects(verifyWebhook(BODY, signed(), 'whsec_'), /secret/);
  await assert.rejects(verifyWebhook(BODY, signed(), 'whsec_!'), /secret/);
});
