/**
 * A constant load on one URL of this machine.
 *
 * Usage: node bench/load/main.ts --url http://127.0.0.1:8080/ [--host NAME] [--rate 2000] [--keep-alive 16]
 *          [--new 4] [--seconds S] [--timeout-ms 10000] [--expect-same-stamp] [-o json|text]
 *
 * Stops after S seconds, or on SIGINT or SIGTERM, and then reports. Exits with 1 when a request failed or an
 * answer was mixed.
 */
import { parseArgs } from 'node:util'
import { BasaltError, exitCodes } from '../../src/errors.ts'
import { type LoadOptions, startLoad } from './load.ts'
import type { LoadReport } from './load-report.ts'

try {
  const { options, output } = parseOptions(process.argv.slice(2))
  const run = startLoad(options)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void run.stop())
  const report = await run.finished
  process.stdout.write(output === 'json' ? `${JSON.stringify(report)}\n` : textOf(report))
  process.exitCode = report.failed + report.mixed === 0 ? 0 : 1
} catch (error) {
  if (!(error instanceof BasaltError)) throw error
  console.error(`error: ${error.message}`)
  if (error.remedy !== undefined) console.error(error.remedy)
  process.exitCode = exitCodes[error.kind]
}

function parseOptions(args: string[]): { readonly options: LoadOptions; readonly output: string } {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: 'string' },
      host: { type: 'string' },
      rate: { type: 'string', default: '2000' },
      'keep-alive': { type: 'string', default: '16' },
      new: { type: 'string', default: '4' },
      seconds: { type: 'string' },
      'timeout-ms': { type: 'string', default: '10000' },
      'expect-same-stamp': { type: 'boolean', default: false },
      output: { type: 'string', short: 'o', default: 'text' },
    },
  })
  if (values.url === undefined) throw new BasaltError('request.invalid', { message: '--url is missing' })
  return {
    output: values.output,
    options: {
      url: values.url,
      ...(values.host === undefined ? {} : { host: values.host }),
      rate: numberOf('--rate', values.rate),
      keepAlive: numberOf('--keep-alive', values['keep-alive']),
      newConnections: numberOf('--new', values.new),
      ...(values.seconds === undefined ? {} : { durationMs: numberOf('--seconds', values.seconds) * 1000 }),
      timeoutMs: numberOf('--timeout-ms', values['timeout-ms']),
      expectSameStamp: values['expect-same-stamp'],
    },
  }
}

function numberOf(flag: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new BasaltError('request.invalid', { message: `${flag} ${text} is not a number` })
  return value
}

function textOf(report: LoadReport): string {
  const failures = Object.entries(report.failures).map(([reason, count]) => `  ${count} × ${reason}`)
  const periods = report.periods.map(
    ({ stamps, answers }) => `  ${answers} answers by ${JSON.stringify(stamps)}`,
  )
  const latency = report.latencyMs
  return [
    `requests  ${report.requests} in ${(report.durationMs / 1000).toFixed(1)} s (${report.ratePerSecond}/s)`,
    `failed    ${report.failed}`,
    ...failures,
    `mixed     ${report.mixed}`,
    ...periods,
    latency === null
      ? 'latency   none'
      : `latency   p50 ${latency.p50} ms, p99 ${latency.p99} ms, max ${latency.max} ms`,
    '',
  ].join('\n')
}
