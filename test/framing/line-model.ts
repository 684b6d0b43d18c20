/** What lines are, written so plainly that it must be right: the model that LineReceiver is compared with. */
import { join, toBytes } from 'couplet'

export interface Expected {
  readonly lines: readonly string[]
  /** Where decoding stops: at the end, in the middle of a line, or at a line that is too long. */
  readonly end: 'clean' | 'incomplete' | 'too long'
  /** How many bytes had been used up by then. */
  readonly offset: number
}

/** Reads `text`, one character a byte. */
export function readLines(text: string, delimiter: string, maxLength: number): Expected {
  const lines: string[] = []
  let offset = 0
  for (;;) {
    const rest = text.slice(offset)
    const length = rest.indexOf(delimiter)
    const tooLong = length < 0 ? rest.length >= maxLength + delimiter.length : length > maxLength
    if (tooLong) return { lines, end: 'too long', offset }
    if (length < 0) return { lines, end: rest === '' ? 'clean' : 'incomplete', offset }
    lines.push(rest.slice(0, length))
    offset += length + delimiter.length
  }
}

/** One byte for each character; and back. */
export const toLatin1 = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0))
export const fromLatin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** The bytes of lines as they are sent. */
export const lines = (...texts: string[]): Uint8Array => join(texts.map((text) => toBytes(`${text}\r\n`)))
