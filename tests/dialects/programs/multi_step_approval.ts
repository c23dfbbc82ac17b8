// Step 1: Request approval for upgrade
const upgradeApproval = await agent.requestApproval({
  action: 'account_upgrade',
  context: { tier: 'growth', cost: 29 },
  reason: 'Need higher send limits'
});
// Step 2: After upgrade approved, request approval for bulk send
const sendApproval = await agent.requestApproval({
  action: 'bulk_send',
  context: { recipientCount: 1000 },
  reason: 'Large campaign launch'
});
