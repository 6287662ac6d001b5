import { defineConfig } from 'vitest/config'
import { TestReporter } from './scripts/test-report.ts'

const report = process.env['BASALT_TEST_REPORT']

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    // Tests share the machine's bridges, ports and cgroups, and its two cores.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    silent: 'passed-only',
    reporters: report === undefined ? ['default'] : ['default', new TestReporter(report)],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.{test,contract,fixture}.ts', 'src/**/{testing,fixtures}/**'],
      reporter: ['text-summary'],
    },
  },
})
