/** A server that answers as a test says, for what the real one does not do when asked. */

import { createServer } from 'node:http';

import { Placet } from '../placet.js';

/**
 * Serve `answers` one after the other, the last one again and again.
 *
 * An answer is `{ status, headers, body }`, the text `'hang up'`, or `'hang'`.
 *
 * @param {import('node:test').TestContext} test closes it
 * @param {any[]} answers
 */
export async function stub(test, answers) {
  /** @type {{ method: string, path: string, headers: any, body: string, at: number }[]} */
  const calls = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const { method, url: path, headers } = request;
      const answer = answers[Math.min(calls.length, answers.length - 1)];
      calls.push({ method, path, headers, body, at: performance.now() });
      if (answer === 'hang up') request.socket.destroy();
      if (typeof answer === 'string') return;
      const text = answer.text ?? JSON.stringify(answer.body ?? {});
      response.writeHead(answer.status ?? 200, answer.headers).end(text);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  const placet = (options = {}) => new Placet({ url, key: 'plk_test', ...options });
  return { url, calls, placet };
}

/** @param {number} status @param {string} code @param {object} [more] */
export function problem(status, code, more = {}, headers = {}) {
  const body = { type: `urn:placet:problem:${code}`, title: 'No', status, code, detail: code };
  return { status, headers, body: { ...body, ...more } };
}

/** An approval as the server shows it. */
export function approval(more = {}) {
  return { id: 'a1', title: 'Dinner', status: 'pending', payload: {}, payload_digest: '', ...more };
}
