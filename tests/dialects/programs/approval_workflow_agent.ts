import { DaimonClient } from 'daimon-email';
class ApprovalWorkflowAgent {
  private client: DaimonClient;
  private pendingApprovals: Map<string, any> = new Map();
  constructor(apiKey: string) {
    this.client = new DaimonClient({ apiKey });
  }
  async sendBulkEmail(recipients: string[], subject: string, body: string) {
    // Check if this needs approval (e.g., > 100 recipients)
    if (recipients.length > 100) {
      console.log(`⚠️ Bulk send to ${recipients.length} recipients requires approval`);
      const approval = await this.requestApproval({
        action: 'bulk_send',
        context: {
          recipient_count: recipients.length,
          subject: subject,
          preview: body.slice(0, 200)
        },
        reason: `Sending to ${recipients.length} recipients exceeds safety threshold`,
        urgency: 'medium'
      });
      console.log('⏳ Waiting for operator approval...');
      console.log('📧 Approval request sent to operator');
      // Wait for approval (via webhook)
      return approval.requestId;
    }
    // Safe to send without approval
    return this.executeBulkSend(recipients, subject, body);
  }
  async requestApproval(params: {
    action: string;
    context: any;
    reason: string;
    urgency?: 'low' | 'medium' | 'high';
  }) {
    const approval = await this.client.account.notifyOperator({
      type: 'approval_request',
      action: params.action,
      context: params.context,
      reason: params.reason,
      urgency: params.urgency || 'medium',
      callbackUrl: `https://my-agent.com/webhook/approval`,
      expiresIn: 3600 // 1 hour
    });
    // Store pending approval
    this.pendingApprovals.set(approval.requestId, {
      action: params.action,
      context: params.context,
      timestamp: Date.now()
    });
    return approval;
  }
  async handleApprovalWebhook(event: any) {
    const { requestId, status, approvedAt, approvedBy } = event;
    const pending = this.pendingApprovals.get(requestId);
    if (!pending) {
      console.warn('Unknown approval request:', requestId);
      return;
    }
    if (status === 'approved') {
      console.log('✅ Approval granted by:', approvedBy);
      console.log('⏱️ Approved in:', Date.now() - pending.timestamp, 'ms');
      // Execute the approved action
      await this.executeApprovedAction(pending);
      this.pendingApprovals.delete(requestId);
    } else if (status === 'denied') {
      console.log('❌ Approval denied by:', approvedBy);
      console.log('Reason:', event.denialReason);
      this.pendingApprovals.delete(requestId);
    } else if (status === 'expired') {
      console.log('⏰ Approval request expired');
      this.pendingApprovals.delete(requestId);
    }
  }
  private async executeApprovedAction(approval: any) {
    switch (approval.action) {
      case 'bulk_send':
      const { recipient_count, subject, preview } = approval.context;
      console.log(`📧 Executing approved bulk send to ${recipient_count} recipients`);
      // Execute the send
      break;
      case 'account_upgrade':
      console.log('💳 Executing approved account upgrade');
      // Process upgrade
      break;
      case 'data_deletion':
      console.log('🗑️ Executing approved data deletion');
      // Delete data
      break;
      default:
      console.warn('Unknown action:', approval.action);
    }
  }
  private async executeBulkSend(recipients: string[], subject: string, body: string) {
    console.log(`📧 Sending to ${recipients.length} recipients...`);
    for (const recipient of recipients) {
      await this.client.inboxes.send('inb_xxx', {
        to: recipient,
        subject,
        body
      });
    }
    console.log('✅ Bulk send complete');
  }
}
// Usage
const agent = new ApprovalWorkflowAgent('dm_live_xxx');
// This will trigger approval flow
await agent.sendBulkEmail(
  ['user1@example.com', 'user2@example.com', /* ... 500 more */],
  'Product Update',
  'We are excited to announce...'
);
// Webhook handler
app.post('/webhook/approval', async (req, res) => {
  await agent.handleApprovalWebhook(req.body);
  res.status(200).send('OK');
});
