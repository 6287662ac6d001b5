import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

export interface TestReport {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly { readonly test: string; readonly reason: string }[]
}

/** Writes a TestReport. vitest's own JSON report has no reasons for skipped tests. */
export class TestReporter implements Reporter {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const failed = tests.filter((test) => !['passed', 'skipped'].includes(test.result().state)).length
    // A file that cannot be loaded, or a hook that throws, has no failed test to show for it.
    const broken = modules.filter((module) => module.state() === 'failed' && !hasFailedTest(module)).length
    const report: TestReport = {
      passed: tests.filter((test) => test.result().state === 'passed').length,
      failed: failed + broken + unhandledErrors.length,
      skipped: tests.filter((test) => test.result().state === 'skipped').map(skippedTest),
    }
    writeFileSync(this.#file, JSON.stringify(report))
  }
}

const hasFailedTest = (module: TestModule): boolean =>
  [...module.children.allTests()].some((test) => test.result().state === 'failed')

function skippedTest(test: TestCase): TestReport['skipped'][number] {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  return {
    test: `${relative('.', test.module.moduleId)}: ${test.fullName}`,
    reason: note ?? 'no reason given',
  }
}
