import type { TreeHead } from '../../store/store.ts'
import { defineCommand, type Flag } from '../command.ts'
import { plural } from '../render/names.ts'
import { formatTreeHead, parseTreeHead } from '../tree-head.ts'

const fromFlag: Flag<TreeHead | null> = {
  kind: 'value',
  placeholder: 'head',
  summary: 'a head that this command printed before, which the ledger must continue',
  expects: 'a head as this command prints it, <events>:<root hash>',
  parse: parseTreeHead,
  absent: null,
}

export const auditVerifyCommand = defineCommand({
  name: 'audit verify',
  summary: 'recompute every hash of the ledger, and find what was changed in it',
  description:
    'A changed event is found, wherever it is. A ledger whose end was cut off, or that was rewritten as a whole, ' +
    'agrees with itself: against that, keep the head that this prints on another machine, and give it with --from. ' +
    'Then whatever was changed or lost up to that head is found.',
  flags: { from: fromFlag },
  args: {},
  examples: [
    { command: 'basalt audit verify', does: 'check the whole ledger, and print its head' },
    { command: 'basalt audit verify --from "$(cat kept-head)"', does: 'prove that it continues that head' },
  ],
  schemas: ['basalt.ledger-head/v1'],
  async run({ flags }, context) {
    const engine = await context.engine()
    const head = await engine.verifyLedger({ from: flags.from })
    const { continues } = head
    await context.output.result(head, () =>
      [
        `${context.output.paint('green', 'the ledger is intact')}: ${plural(head.size, 'event')}`,
        `head: ${formatTreeHead(head)}`,
        ...(continues === null ? [] : [`continues: ${formatTreeHead(continues)}`]),
      ].join('\n'),
    )
  },
})
