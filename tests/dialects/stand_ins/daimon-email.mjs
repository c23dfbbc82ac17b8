// Stands in for the client library of the seed's agent: the same calls, sent to a Placet.
const { PLACET_URL, PLACET_KEY } = process.env;

export class DaimonClient {
  constructor({ apiKey }) {
    this.apiKey = apiKey;
    this.sent = [];
    this.account = { notifyOperator };
    this.inboxes = { send: async (inbox, mail) => void this.sent.push([inbox, mail]) };
  }
}

async function notifyOperator(body) {
  const answer = await fetch(`${PLACET_URL}/v1/notify-operator`, {
    method: 'POST',
    headers: { 'Authorization': `Bearer ${PLACET_KEY}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...body, callbackUrl: globalThis.callbackUrl })
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}
