import { exitCodes } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import type { ProbeReport } from '../doctor/probe.ts'
import type { Paint } from '../render/paint.ts'
import { printable } from '../render/printable.ts'
import { renderTable } from '../render/table.ts'

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'say what this machine has, what is missing, and how to get it',
  description: 'Exits with 3 when something is missing that Basalt cannot do without.',
  flags: {},
  args: {},
  examples: [{ command: 'sudo basalt doctor', does: 'with a trial start of the container runtime' }],
  schemas: ['basalt.doctor/v1'],
  async run(_input, context) {
    const [{ runProbes }, { probes }, { thisMachine }] = await Promise.all([
      import('../doctor/probe.ts'),
      import('../doctor/probes.ts'),
      import('../doctor/this-machine.ts'),
    ])
    const reports = await runProbes(probes, await thisMachine(context))
    const ready = reports.every((report) => report.state !== 'missing' || !report.required)
    await context.output.result({ schema: 'basalt.doctor/v1', ready, probes: reports }, () =>
      render(reports, ready, context.output.paint),
    )
    return ready ? 0 : exitCodes.environment
  },
})

const marks = {
  found: { style: 'green', sign: '✓' },
  poor: { style: 'yellow', sign: '!' },
  missing: { style: 'red', sign: '✗' },
} as const

function render(reports: readonly ProbeReport[], ready: boolean, paint: Paint): string {
  const rows = reports.map((report) => [
    paint(marks[report.state].style, marks[report.state].sign),
    report.name,
    report.purpose,
    printable(report.detail),
  ])
  const remedies = reports.flatMap((report) =>
    report.remedy === null ? [] : [`  ${report.name}: ${report.remedy}`],
  )
  return [
    renderTable(['', 'WHAT', 'FOR', 'FOUND'], rows),
    '',
    ...(remedies.length === 0 ? [] : ['What helps:', ...remedies, '']),
    ready
      ? paint('green', 'This machine can run Basalt.')
      : paint('red', 'This machine cannot run Basalt yet.'),
  ].join('\n')
}
