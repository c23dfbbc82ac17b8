// Only request approval for high-value operations
if (operation.estimatedCost > 100) {
  await agent.requestApproval({
    action: 'execute_campaign',
    context: { estimatedCost: operation.estimatedCost },
    reason: 'High-cost operation requires approval'
  });
}
