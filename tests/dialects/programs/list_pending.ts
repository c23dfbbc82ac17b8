const approvals = await client.approvals.list({ status: 'pending' })

for (const approval of approvals.data) {
  console.log(`${approval.checkpoint_name} - ${approval.created_at}`)
}
