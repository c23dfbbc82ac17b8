// What a TypeScript user writes; only a type checker reads this file.

import { Placet, Rejected, payloadDigest, requiresApproval, verifyWebhook } from 'placet-client';
import type { Approval, Status } from 'placet-client';

const client = new Placet({ url: 'https://placet.example.com', key: 'plk_example' });

// The sample of seed 003, as it stands there.
const approvals = await client.approvals.list({ status: 'pending' });

for (const approval of approvals.data) {
  console.log(`${approval.checkpoint_name} - ${approval.created_at}`);
}

// Every page.
for await (const approval of approvals) {
  const status: Status = approval.status;
  console.log(approval.agent_id, status, approval.decided_by?.toUpperCase());
}

// The requests of seed 004.
interface BulkSend {
  recipient_count: number;
  subject: string;
}
const asked = await client.approvals.create<BulkSend>(
  {
    type: 'bulk_send',
    title: 'Send to 500 recipients',
    payload: { recipient_count: 500, subject: 'Product Update' },
    reason: 'Sending to 500 recipients exceeds safety threshold',
    urgency: 'medium',
    expires_in: 3600,
    callback_url: 'https://my-agent.example.com/webhook/approval',
  },
  { idempotencyKey: 'bulk:1', signal: AbortSignal.timeout(1000) },
);
const recipients: number = asked.payload.recipient_count;
const ended: Approval<BulkSend> = await client.approvals.wait<BulkSend>(asked.id, { timeout: 300 });
await client.approvals.decide(asked.id, { decision: 'approved', reason: 'Looks right' });

const send = requiresApproval(
  {
    type: 'bulk_send',
    when: (to) => to.length > 100,
    payload: (to, subject) => ({ recipient_count: to.length, subject }),
    timeout: 300,
    onTimeout: async (to) => `only a draft for ${to.length}`,
  },
  async (to: string[], subject: string) => to.length + subject.length,
);
try {
  const done: number | string = await send(['ann@example.com'], 'Hello');
  console.log(done);
} catch (error) {
  if (error instanceof Rejected) console.log(error.approval.decision_reason);
}

const event = await verifyWebhook('{}', new Headers(), 'whsec_c2VjcmV0');
console.log(event.data.approval_id, await payloadDigest(ended.effectivePayload), recipients);

// What is wrong does not compile.
// @ts-expect-error there is no such status
await client.approvals.list({ status: 'open' });
// @ts-expect-error an ask says its type
await client.approvals.create({ title: 'Dinner' });
// @ts-expect-error no such answer
await client.approvals.decide(asked.id, { decision: 'perhaps' });
// @ts-expect-error the wrapped function takes what the function takes
await send('ann@example.com', 'Hello');
// @ts-expect-error approvals have no such field
console.log(asked.recipient_count);

// Who must say yes, and what they ask back.
await client.approvals.wait(asked.id, {
  onQuestion: async ({ text, wants }) => (wants === 'answer' ? `You asked: ${text}` : null),
});
await client.approvals.askBack(asked.id, 'For whom?', { wants: 'changes' });
await client.approvals.revise(asked.id, { payload: { recipient_count: 5 }, revision: 2 });
await client.approvals.reassign(asked.id, { to: 'ben@example.com' });
const missing: string[] = (await client.approvals.remind(asked.id)).progress?.missing ?? [];
const [ann] = await client.people.resolve(['ann@example.com']);
await client.delegations.create({ to: 'ben@example.com', begins: new Date(), ends: '2030-01-01' });
console.log(missing, ann?.known, (await client.policies.list())[0]?.name);
// @ts-expect-error an answer is text
await client.approvals.wait(asked.id, { onQuestion: () => 7 });
