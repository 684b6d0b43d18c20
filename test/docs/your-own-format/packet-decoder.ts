import { type Decoder, type FrameBuffer, FrameTooLong, RemoteProtocolError } from 'couplet'

export interface Packet {
  readonly kind: number
  readonly flags: number
  readonly body: Uint8Array
}

export class PacketDecoder implements Decoder<Packet> {
  readonly type = 'packet'
  readonly maxLength: number

  constructor(maxLength: number) {
    this.maxLength = maxLength
  }

  decode(input: FrameBuffer): Packet | undefined {
    let length = 0
    for (let index = 1; index <= 4; index++) {
      const byte = input.at(index)
      if (byte === undefined) return undefined // the rest has not come yet
      length += (byte & 0x7f) * 128 ** (index - 1)
      if (length > this.maxLength) throw new FrameTooLong(length, this.maxLength, 'packet')
      if (byte > 0x7f) continue
      if (input.length < index + 1 + length) return undefined
      const [first = 0] = input.take(index + 1)
      return { kind: first >> 4, flags: first & 0x0f, body: input.take(length) }
    }
    throw new RemoteProtocolError('the length of a packet has four bytes at most, and this one goes on')
  }
}
