import { defineCommand } from '../command.ts'
import { plural } from '../render/names.ts'

export const auditVerifyCommand = defineCommand({
  name: 'audit verify',
  summary: 'recompute every hash of the ledger; a changed bit anywhere is found',
  flags: {},
  args: {},
  examples: [{ command: 'basalt audit verify', does: 'check the whole ledger' }],
  schemas: ['basalt.ledger-head/v1'],
  async run(_input, context) {
    const engine = await context.engine()
    const head = await engine.verifyLedger()
    await context.output.result(
      head,
      () =>
        `${context.output.paint('green', 'the ledger is intact')}: ${plural(head.size, 'event')}, root ${head.rootHash}`,
    )
  },
})
