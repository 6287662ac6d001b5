/** Environment variables and labels as texts. What was a number in YAML arrives as it was written. */
export const textValues = (
  written: Readonly<Record<string, string | number | boolean>> | undefined,
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(written ?? {}).map(([name, value]) => [name, String(value)]))
