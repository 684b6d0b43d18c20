/**
 * Endpoints as text: `tcp:localhost:10000:timeout=5`, read into a type and its arguments.
 *
 * `:` separates arguments, the first `=` of an argument ends its name, and a backslash takes away what the next
 * character means. Ancestor: `_tokenize` and `_parse` of `twisted.internet.endpoints`; what Twisted lets pass or
 * stumbles over (an argument given twice, a backslash at the end) is an error here that says where.
 */

/** An endpoint's text is wrong. Thrown: the program, or who configured it, has to correct it. */
export class InvalidEndpoint extends Error {
  static {
    this.prototype.name = 'InvalidEndpoint'
  }
  readonly code: string = 'ERR_INVALID_ENDPOINT'
  /** The whole text. */
  readonly text: string
  /** Where in the text it is wrong, in UTF-16 units from 0; its length if something is missing at the end. */
  readonly position: number

  /**
   * @param why - one sentence, without a full stop
   * @param hint - what is allowed here
   */
  constructor(text: string, position: number, why: string, hint?: string) {
    const lines = [harmless(why), `  ${harmless(text)}`, `  ${' '.repeat(position)}^`]
    if (hint !== undefined) lines.push(`  ${hint}`)
    super(lines.join('\n'))
    this.text = text
    this.position = position
  }
}

/** One argument as it was written. */
export interface RawArgument {
  /** Its name, if it was written `name=value`. */
  readonly name: string | undefined
  readonly value: string
  /** Where it begins. */
  readonly position: number
  /** Where its value begins. */
  readonly valuePosition: number
}

/** A text, taken apart: the first argument is the type. */
export interface Description {
  readonly text: string
  readonly type: RawArgument
  readonly rest: readonly RawArgument[]
}

/** Takes `text` apart. @throws InvalidEndpoint if it ends in the middle of an escape, or its type has a name */
export function parseDescription(text: string): Description {
  const found: RawArgument[] = []
  let position = 0
  while (position <= text.length) {
    const [argument, end] = readArgument(text, position)
    found.push(argument)
    position = end + 1
  }
  const [type, ...rest] = found as [RawArgument, ...RawArgument[]]
  if (type.name !== undefined || type.value === '') {
    throw new InvalidEndpoint(text, 0, 'an endpoint begins with its type, as in tcp:localhost:10000')
  }
  return { text, type, rest }
}

function readArgument(text: string, position: number): [argument: RawArgument, end: number] {
  let name: string | undefined
  let value = ''
  let valuePosition = position
  let end = position
  for (; end < text.length && text[end] !== ':'; end++) {
    if (text[end] === '=' && name === undefined) {
      name = value
      value = ''
      valuePosition = end + 1
    } else if (text[end] !== '\\') {
      value += text[end]
    } else if (++end < text.length) {
      value += text[end]
    } else {
      throw new InvalidEndpoint(text, end - 1, 'a backslash at the very end escapes nothing (write it twice)')
    }
  }
  return [{ name, value, position, valuePosition }, end]
}

/**
 * Writes any text so that it is one argument, whatever it contains: `unix:${quoteStringArgument(path)}`.
 *
 * Ancestor: the function of this name in `twisted.internet.endpoints`, which leaves out `=`.
 */
export function quoteStringArgument(argument: string): string {
  return argument.replaceAll(/[\\:=]/g, '\\$&')
}

/** The same length, but nothing in it moves a terminal's cursor. */
function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (one) => '\uFFFD'.repeat(one.length))
}
