/**
 * What the transform service and its clients say to each other: each question is a netstring, and so is each answer.
 *
 * A question is `NAME.POEM` and its answer is the transformed poem, as in krondo; a question that cannot be answered
 * ends the connection then, because in that language there is no other way to say so. A question that begins with `?`
 * wants to know: its answer is `+POEM` or `-REASON`, and the connection stays. Ancestor: krondo's part 12; the `?` is
 * ours.
 */
import { escaped, RemoteProtocolError, toBytes, toText } from 'couplet'
import { TransformFailed } from './transform-service.ts'

/**
 * Bytes that a question or an answer may have. Half of what may wait in a send queue (1 MiB), so that one of them always
 * fits in behind what a slow peer has not taken yet.
 */
export const longestTransformed = 512 * 1024

/** What somebody asks for. */
export interface TransformQuestion {
  readonly name: string
  readonly poem: string
  /** Whether it was asked with `?`. */
  readonly wantsReason: boolean
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const questionMark = 0x3f
const dot = 0x2e
const plus = 0x2b
const minus = 0x2d

/** Whether a question, right or wrong, is one that wants to hear a reason. */
export function wantsReason(bytes: Uint8Array): boolean {
  return bytes[0] === questionMark
}

/** A question as bytes. */
export function encodeQuestion({ name, poem, wantsReason }: TransformQuestion): Uint8Array {
  return toBytes(`${wantsReason ? '?' : ''}${name}.${poem}`)
}

/** @throws RemoteProtocolError if the bytes are no question; its message is for whoever sent them */
export function decodeQuestion(bytes: Uint8Array): TransformQuestion {
  const asked = wantsReason(bytes)
  const end = bytes.indexOf(dot)
  if (end === -1) throw new RemoteProtocolError(`a question is NAME.POEM, and ${escaped(bytes, 40)} has no dot`)
  const name = toText(bytes.subarray(asked ? 1 : 0, end))
  return { name, poem: textOf(bytes.subarray(end + 1)), wantsReason: asked }
}

/** An answer to a question that wanted a reason. */
export function encodeAnswer(answer: string | Error): Uint8Array {
  return toBytes(typeof answer === 'string' ? `+${answer}` : `-${answer.message}`)
}

/**
 * What an answer says.
 *
 * @throws RemoteProtocolError if it says nothing that one understands
 */
export function decodeAnswer(bytes: Uint8Array, wantedReason: boolean): string | TransformFailed {
  if (!wantedReason) return textOf(bytes)
  const text = textOf(bytes.subarray(1))
  if (bytes[0] === plus) return text
  if (bytes[0] === minus) return new TransformFailed(text)
  throw new RemoteProtocolError(`an answer begins with + or -, and ${escaped(bytes, 40)} does not`)
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (error) {
    throw new RemoteProtocolError(`a poem is UTF-8, and ${escaped(bytes, 40)} is not`, { cause: error })
  }
}
