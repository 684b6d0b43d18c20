import { type Decoder, type FrameBuffer, FrameTooLong, RemoteProtocolError } from 'couplet'

const maxLength = 1024

export class COBSDecoder implements Decoder<Uint8Array> {
  readonly type = 'COBS frame'

  decode(input: FrameBuffer): Uint8Array | undefined {
    const end = input.indexOf(0, input.scanned)
    if ((end < 0 ? input.length : end) > maxLength) throw new FrameTooLong(maxLength + 1, maxLength, this.type)
    if (end >= 0) return unstuffed(input.take(end, 1))
    input.scanned = input.length // no need to look there again
    return undefined
  }
}

function unstuffed(frame: Uint8Array): Uint8Array {
  const bytes: number[] = []
  for (let start = 0; start < frame.length;) {
    const end = start + frame[start]!
    if (end > frame.length)
      throw new RemoteProtocolError(`a COBS block ends ${end - frame.length} bytes after its frame`)
    bytes.push(...frame.subarray(start + 1, end))
    if (frame[start] !== 0xff && end < frame.length) bytes.push(0)
    start = end
  }
  return new Uint8Array(bytes)
}
