/**
 * Text that others wrote (logs, names, errors of programs) made safe for a terminal: control characters appear
 * as `\x1b` instead of moving the cursor or changing the title. Tabs stay; line ends are the caller's business.
 */
export const printable = (text: string): string =>
  text.replaceAll(
    /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => {
      const code = character.charCodeAt(0)
      return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
    },
  )
