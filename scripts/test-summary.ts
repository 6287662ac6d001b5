/**
 * Prints the skipped tests with their reasons and, last, what passed and failed: tests, checks and the build.
 * Exits with 1 when anything failed or nothing ran.
 *
 * Usage: node scripts/test-summary.ts <exit code of the build> <exit code of vitest>
 */
import { readFileSync } from 'node:fs'
import type { TestReport } from './test-report.ts'

interface CheckReport {
  readonly passed: number
  readonly failed: number
}

const [buildExit, testsExit] = process.argv.slice(2).map(Number)
const tests = readReport<TestReport>('BASALT_TEST_REPORT') ?? { passed: 0, failed: 1, skipped: [] }
const checks = readReport<CheckReport>('BASALT_CHECK_REPORT') ?? { passed: 0, failed: 1 }

const buildFailed = buildExit === 0 ? 0 : 1
// vitest may also fail for what no test shows, such as an unhandled rejection in a worker that died.
const unexplained = testsExit !== 0 && tests.failed === 0 ? 1 : 0
const passed = tests.passed + checks.passed + (1 - buildFailed)
const failed = tests.failed + checks.failed + buildFailed + unexplained

if (buildFailed > 0) console.log('FAILED  the build (above)')
if (tests.passed === 0) console.log('FAILED  no test has passed')
for (const { test, reason } of tests.skipped) console.log(`skipped ${test}\n        ${reason}`)
console.log(`${passed} passed, ${failed} failed, ${tests.skipped.length} skipped`)
process.exit(failed === 0 && tests.passed > 0 ? 0 : 1)

function readReport<Report>(variable: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(process.env[variable] ?? '', 'utf8')) as Report
  } catch {
    return undefined
  }
}
