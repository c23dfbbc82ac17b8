// Stands in for the client library of the seed's executions.
const { PLACET_URL, PLACET_KEY } = process.env;

async function list(query) {
  const answer = await fetch(`${PLACET_URL}/api/v1/approvals?${new URLSearchParams(query)}`, {
    headers: { 'Authorization': `Bearer ${PLACET_KEY}` }
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

export const client = { approvals: { list } };
