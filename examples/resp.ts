/**
 * The wire format of Redis, RESP3, for the client in redis.ts: bytes in, replies out, nested as they may be.
 *
 * Look at the two steps: a decoder that cuts the stream into pieces, each of which is there or is not; and a receiver
 * that builds replies from them, so that a reply of a million parts is not begun anew with each chunk that comes.
 */
import { type Decoder, type FrameBuffer, FrameReceiver, FrameTooLong, IncompleteFrame } from 'couplet'
import { LineDecoder, RemoteProtocolError, toText } from 'couplet'

export type Reply = string | number | bigint | boolean | null | Uint8Array | RedisError | Reply[] | Map<Reply, Reply>

/** The server said no. `code` is its first word: ERR, WRONGTYPE, NOAUTH and so on. */
export class RedisError extends Error {
  override name = 'RedisError'
  readonly code = /^[A-Z]+\b/.exec(this.message)?.[0] ?? 'ERR'
}

/** How much one reply may be, in bytes, and how deep. */
const most = 64 * 1024 * 1024
const deepest = 32

/** A value, or the beginning of something that has so many parts. A string of bytes has one: itself. */
export type Piece = { readonly value: Reply } | { readonly begins: string; readonly parts: number }

export class PieceDecoder implements Decoder<Piece> {
  readonly type = 'RESP piece'
  readonly #lines = new LineDecoder({ delimiter: '\r\n', maxLength: 65_536 })
  /** How long the string is that comes next, if one does. */
  #string: number | undefined

  decode(input: FrameBuffer): Piece | undefined {
    const end = this.#string
    if (end === undefined) return this.#decodeLine(input)
    if (input.length < end + 2) return undefined
    if (input.at(end) !== 0x0d || input.at(end + 1) !== 0x0a) throw new RemoteProtocolError('a string has no end')
    this.#string = undefined
    return { value: input.take(end, 2) }
  }

  #decodeLine(input: FrameBuffer): Piece | undefined {
    const kind = String.fromCharCode(input.at(0) ?? 0x2b)
    if (!'+-:_#,($!=*~%>|'.includes(kind)) throw new RemoteProtocolError(`no reply begins with byte ${input.at(0)}`)
    const line = this.#lines.decode(input)
    if (line === undefined) return undefined
    const text = toText(line.subarray(1))
    if (kind === '+') return { value: text }
    if (kind === '-') return { value: new RedisError(text) }
    if (kind === '#') return { value: text === 't' }
    if (kind === ',') return { value: Number(text.replace('inf', 'Infinity')) }
    if (kind === '_' || (text === '-1' && '$*'.includes(kind))) return { value: null }
    if (!/^[-+]?\d{1,400}$/.test(text)) throw new RemoteProtocolError(`no number: ${JSON.stringify(text.slice(0, 40))}`)
    const number = Number(text)
    if (kind === ':' || kind === '(') return { value: Number.isSafeInteger(number) ? number : BigInt(text) }
    if (!/^\d/.test(text)) throw new RemoteProtocolError(`no length: ${JSON.stringify(text)}`)
    if (number > most) throw new FrameTooLong(number, most, 'reply')
    if ('$!='.includes(kind)) this.#string = number
    return { begins: kind, parts: '$!='.includes(kind) ? 1 : '%|'.includes(kind) ? 2 * number : number }
  }
}

export abstract class ReplyReceiver extends FrameReceiver<Piece> {
  protected override readonly decoder = new PieceDecoder()
  /** What has begun and is not whole yet, from the outside inward, and about how many bytes that is. */
  readonly #open: { begins: string; parts: number; values: Reply[] }[] = []
  #size = 0

  protected abstract replyReceived(reply: Reply): void
  /** Something came that nobody has asked for now: `['message', channel, bytes]`, say. */
  protected abstract pushReceived(push: Reply[]): void

  protected override frameReceived(piece: Piece): void {
    this.#size += 'value' in piece && piece.value instanceof Uint8Array ? piece.value.length : 16
    if (this.#size > most) return this.frameRefused(new FrameTooLong(this.#size, most, 'reply'))
    if ('value' in piece) this.#valueReceived(piece.value)
    else if (this.#open.push({ ...piece, values: [] }) > deepest) this.frameRefused(new RemoteProtocolError('too deep'))
    // What has all its parts now is a part itself.
    for (let last; (last = this.#open.at(-1)) && last.values.length === last.parts;) {
      this.#open.pop()
      if (last.begins === '>') {
        if (this.#open.length === 0) this.#size = 0
        this.pushReceived(last.values)
      } else if (last.begins !== '|') this.#valueReceived(whole(last.begins, last.values))
    }
  }

  protected override frameRefused(error: RemoteProtocolError): void {
    this.transport.abortConnection(error)
  }

  override inputEnded(): Error | undefined {
    return super.inputEnded() ?? (this.#open.length === 0 ? undefined : new IncompleteFrame(this.#size))
  }

  #valueReceived(value: Reply): void {
    const outer = this.#open.at(-1)
    if (outer !== undefined) return void outer.values.push(value)
    this.#size = 0
    this.replyReceived(value)
  }
}

function whole(kind: string, values: Reply[]): Reply {
  if (kind === '%') return new Map(values.flatMap((key, at) => (at % 2 === 0 ? [[key, values[at + 1]!]] : [])))
  if (kind === '!') return new RedisError(toText(values[0] as Uint8Array))
  if (kind === '=') return (values[0] as Uint8Array).subarray('txt:'.length)
  return kind === '$' ? values[0]! : values
}
