// Stands in for the web framework of the seed's agent, and lets a test follow what happens.
import { createServer } from 'node:http';

const LOOK_EVERY_MS = 20;
const handlers = new Map();

const server = createServer((incoming, answer) => {
  const parts = [];
  incoming.on('data', (part) => parts.push(part));
  incoming.on('end', async () => {
    const body = JSON.parse(Buffer.concat(parts).toString());
    const res = { status: (code) => ({ send: (text) => answer.writeHead(code).end(text) }) };
    say({ told: body });
    await handlers.get(incoming.url)({ body }, res);
  });
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
globalThis.callbackUrl = `http://127.0.0.1:${server.address().port}/webhook/approval`;

export const app = { post: (path, handler) => void handlers.set(path, handler) };

export function say(fact) {
  console.log('@@' + JSON.stringify(fact));
}

export async function until(look) {
  while (!look()) await new Promise((again) => setTimeout(again, LOOK_EVERY_MS));
}

export function end() {
  say({ ended: true });
  server.close();
  server.closeAllConnections();
}
