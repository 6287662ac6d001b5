import type { StampPeriod } from './stamp-sequence.ts'

export interface LoadReport {
  readonly schema: 'basalt.load/v1'
  readonly requests: number
  /** Requests without a whole answer of status 2xx or 3xx. */
  readonly failed: number
  /** Reason to count. */
  readonly failures: Readonly<Record<string, number>>
  /** Answers in which services of two releases met. Always 0 unless they were to be compared. */
  readonly mixed: number
  readonly durationMs: number
  readonly ratePerSecond: number
  /** From the first byte sent to the last one received; null when nothing was answered. */
  readonly latencyMs: Latency | null
  /** Which releases answered, in order: one more than there were switches. */
  readonly periods: readonly StampPeriod[]
}

export interface Latency {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export function latencyOf(samplesMs: readonly number[]): Latency | null {
  const sorted = Float64Array.from(samplesMs).sort()
  const at = (share: number): number => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)
  return sorted.length === 0 ? null : { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

const rounded = (milliseconds: number): number => Math.round(milliseconds * 100) / 100
