/** Digests: those of the server, computed here. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { payloadDigest } from '../placet.js';
import { canonical } from '../src/digest.js';
import { ask, real, requester } from '../testing/placet.js';

const ODD = {
  '\u{1F600}': 'an astral key comes before the next one by its code units',
  '\ufb33': 'and after it by its code points',
  numbers: [1e21, 1e-7, 0.1, -0, 0, 5e-324, 1.7976931348623157e308, 9007199254740991, 1.0, -3.5e-9],
  text: 'quotes " \\ / \b\f\n\r\t \u0000\u001f \u007f \u2028 é 漢 \u{1F600}',
  nested: { b: [], a: {}, '': null, 10: true, 9: false },
};

test('a digest is the one that the server made', real, async () => {
  const asked = await requester().approvals.create(ask({ payload: ODD }));
  assert.equal(await payloadDigest(ODD), asked.payload_digest);
  assert.equal(await payloadDigest(asked.payload), asked.payload_digest);
});

const file = process.env.PLACET_TEST_VECTORS;
const given = file ? {} : { skip: 'needs the vectors that tests/typescript writes' };

test('digests are those that the server computes', given, async () => {
  const { digests } = JSON.parse(readFileSync(file, 'utf-8'));
  assert.ok(digests.length > 10);
  for (const { text, digest } of digests) {
    assert.equal(await payloadDigest(JSON.parse(text)), digest, text);
  }
});

test('canonical JSON is that of RFC 8785', () => {
  assert.equal(canonical({ b: 1e21, a: -0, c: 1e20 }), '{"a":0,"b":1e+21,"c":100000000000000000000}');
  assert.equal(canonical({ '\u20ac': 1, '\r': 2, '\ufb33': 3, 1: 4, '\u{1F600}': 5, '\u0080': 6 }),
    '{"\\r":2,"1":4,"\u0080":6,"\u20ac":1,"\u{1F600}":5,"\ufb33":3}');
});

test('what is sent and what is digested leave out the same', () => {
  const value = { when: new Date(0), gone: undefined, call() {}, list: [undefined, , 1] };
  assert.equal(canonical(value), '{"list":[null,null,1],"when":"1970-01-01T00:00:00.000Z"}');
});

test('what JSON cannot say exactly is refused', async () => {
  const circle = {};
  circle.itself = circle;
  for (const wrong of [NaN, Infinity, 1n, '\ud83d', '\ude00', new Set(), undefined, circle]) {
    await assert.rejects(payloadDigest(wrong), TypeError);
  }
});
