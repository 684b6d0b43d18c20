/** Defects of the loop that makes frames of bytes, and of the wire formats. */
import type { Mutant } from './mutant.ts'

const receiver = 'framework/framing/frame-receiver.ts'
const buffer = 'framework/framing/frame-buffer.ts'
const netstring = 'framework/framing/netstring-decoder.ts'
const line = 'framework/framing/line-decoder.ts'

export const inFraming: readonly Mutant[] = [
  {
    breaks: 'frames are delivered to who has paused',
    file: receiver,
    from: 'while (!this.#over && !transport.paused && !transport.disconnecting) {',
    to: 'while (!this.#over && !transport.disconnecting) {',
  },
  {
    breaks: 'frames are delivered after loseConnection',
    file: receiver,
    from: 'while (!this.#over && !transport.paused && !transport.disconnecting) {',
    to: 'while (!this.#over && !transport.paused) {',
  },
  {
    breaks: 'half a frame at the end counts as a clean end',
    file: receiver,
    from: 'return have === 0 ? undefined : new IncompleteFrame',
    to: 'return have < Infinity ? undefined : new IncompleteFrame',
  },
  {
    breaks: 'two receivers share one buffer',
    file: receiver,
    from: 'this.#lent = undefined\n',
    to: '',
  },
  {
    breaks: 'a line that straddles two chunks is looked for behind its beginning',
    file: buffer,
    from: 'this.#start += length\n    this.scanned = 0',
    to: 'this.#start += length',
  },
  {
    breaks: 'a frame of three chunks has the beginning of the last one twice',
    file: buffer,
    from: 'this.#bytes.set(next.subarray(this.#joined, this.#joined + length), this.#end)',
    to: 'this.#bytes.set(next.subarray(0, length), this.#end)',
  },
  {
    breaks: 'what follows a frame at the edge of a chunk is lost',
    file: buffer,
    from: 'const start = this.#joined - (this.#end - this.#start)',
    to: 'const start = this.#joined',
  },
  {
    breaks: 'a netstring keeps its comma',
    file: netstring,
    from: 'return input.take(this.#length, 1)',
    to: 'return input.take(this.#length + 1)',
  },
  {
    breaks: 'a netstring header is taken to be in one chunk',
    file: netstring,
    from: 'if (byte === undefined) return false',
    to: 'if (byte === undefined && index > 0) throw unexpected(0, \'":"\')\n      if (byte === undefined) return false',
  },
  {
    breaks: 'a netstring of the greatest length is refused',
    file: netstring,
    from: 'if (length > limit) throw',
    to: 'if (length >= limit) throw',
  },
  {
    breaks: 'an int string is delivered before the last of its bytes are there',
    file: 'framework/framing/int-string-decoder.ts',
    from: 'if (input.length < width + length) return undefined',
    to: 'if (input.length < length) return undefined',
  },
  {
    breaks: 'an int string of the greatest length is refused',
    file: 'framework/framing/int-string-decoder.ts',
    from: 'if (length > this.#rules.maxLength) throw',
    to: 'if (length >= this.#rules.maxLength) throw',
  },
  {
    breaks: 'a varint of two bytes is read wrongly',
    file: 'framework/framing/varint-string-decoder.ts',
    from: 'index++, unit *= 128',
    to: 'index++, unit *= 256',
  },
  {
    breaks: 'a delimiter that is cut by an edge is not found',
    file: line,
    from: 'if (first < 0) return false',
    to: 'if (first < 1 && end < input.scanned + 1) return false',
  },
  {
    breaks: 'a line of the greatest length is refused',
    file: line,
    from: '} else if (end - before <= maxLength) {',
    to: '} else if (end - before < maxLength) {',
  },
  {
    breaks: 'a line keeps the first byte of its delimiter',
    file: line,
    from: 'return input.take(end - before, delimiter.length)',
    to: 'return input.take(end, 1)',
  },
]
