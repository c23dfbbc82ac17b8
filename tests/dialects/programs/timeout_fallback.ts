const approval = await agent.requestApproval({
  action: 'data_export',
  context: { recordCount: 10000 },
  reason: 'Large data export',
  expiresIn: 300 // 5 minutes
});
// If no response in 5 minutes, execute safe fallback
setTimeout(() => {
  if (agent.pendingApprovals.has(approval.requestId)) {
    console.log('Approval timeout - executing safe fallback');
    agent.executeSafeDataExport();
  }
}, 300000);
