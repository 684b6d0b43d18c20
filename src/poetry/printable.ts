/**
 * Makes text from a stranger safe to show: what could move a terminal's cursor, or do worse, becomes visible.
 *
 * No ancestor.
 */

/**
 * One line or less of somebody's text: every control character escaped, `\x1b` as four visible characters,
 * and what turns the direction of writing too. What joins letters (Persian, emoji) is not touched.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, visible)
}

/** The same for text of several lines: line ends and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(/(?![\n\t])[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, visible)
}

function visible(control: string): string {
  const code = control.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
