/**
 * Who finds frames: our receivers, what one writes by hand, and well-known libraries. Each is given all chunks, counts
 * the bytes of the frames, and says when it is through.
 */
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import {
  Int32StringReceiver,
  LineReceiver,
  NetstringReceiver,
  type Protocol,
  type StringReceiver,
  toBytes,
  TextLineReceiver,
  VarintStringReceiver,
} from 'couplet'
import { connected } from 'couplet/testing'
import { decode } from 'it-length-prefixed'
import split2 from 'split2'

/** Takes all chunks; afterwards {@link seen} is higher by the lengths of all frames. */
export type Way = (chunks: readonly Buffer[]) => void | Promise<void>

/** How long all frames were, so that nobody can leave the work out. */
export let seen = 0

/* ---------------------------------------------------------------- ours, with the limits that they have by default */

class Lines extends LineReceiver {
  override lineReceived(line: Uint8Array): void {
    seen += line.length
  }
}
class TextLines extends TextLineReceiver {
  override lineReceived(line: string): void {
    seen += line.length
  }
}
class Netstrings extends NetstringReceiver {
  override stringReceived(string: Uint8Array): void {
    seen += string.length
  }
}
class Int32s extends Int32StringReceiver {
  override stringReceived(string: Uint8Array): void {
    seen += string.length
  }
}
class Varints extends VarintStringReceiver {
  override stringReceived(string: Uint8Array): void {
    seen += string.length
  }
}

function ours(build: () => Protocol): Way {
  return (chunks) => {
    const protocol = build()
    connected(protocol)
    for (const chunk of chunks) void protocol.dataReceived(chunk)
  }
}

/* ---------------------------------------------------------------- by hand */

/** A careful splitter, as one writes it by hand for Node. */
class Splitter {
  #rest: Buffer | undefined

  onData(chunk: Buffer): void {
    let start = 0
    let end = chunk.indexOf(0x0a)
    if (this.#rest !== undefined && end >= 0) {
      const line = Buffer.concat([this.#rest, chunk.subarray(0, end)])
      this.#rest = undefined
      this.onLine(line.at(-1) === 0x0d ? line.subarray(0, -1) : line)
      start = end + 1
      end = chunk.indexOf(0x0a, start)
    }
    while (end >= 0) {
      this.onLine(chunk.subarray(start, chunk[end - 1] === 0x0d ? end - 1 : end))
      start = end + 1
      end = chunk.indexOf(0x0a, start)
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start)
      this.#rest = this.#rest === undefined ? rest : Buffer.concat([this.#rest, rest])
    }
  }

  onLine(line: Buffer): void {
    seen += line.length
  }
}

/** The one from the tutorials. */
class Naive {
  #buffer = Buffer.alloc(0)

  onData(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk])
    let end = this.#buffer.indexOf('\r\n')
    while (end >= 0) {
      this.onLine(this.#buffer.subarray(0, end))
      this.#buffer = this.#buffer.subarray(end + 2)
      end = this.#buffer.indexOf('\r\n')
    }
  }

  onLine(line: Buffer): void {
    seen += line.length
  }
}

/** The same care for strings with four bytes of length in front. */
class Strings {
  #rest: Buffer | undefined

  onData(chunk: Buffer): void {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let start = 0
    while (data.length - start >= 4) {
      const end = start + 4 + data.readUInt32BE(start)
      if (end > data.length) break
      this.onString(data.subarray(start + 4, end))
      start = end
    }
    this.#rest = start < data.length ? data.subarray(start) : undefined
  }

  onString(string: Buffer): void {
    seen += string.length
  }
}

function byHand(build: () => { onData(chunk: Buffer): void }): Way {
  return (chunks) => {
    const parser = build()
    for (const chunk of chunks) parser.onData(chunk)
  }
}

/* ---------------------------------------------------------------- libraries */

async function bySplit2(chunks: readonly Buffer[]): Promise<void> {
  const lines = Readable.from(chunks, { objectMode: false }).pipe(split2({ maxLength: 16_384 }))
  await new Promise((resolve, reject) => {
    lines.on('data', (line: string) => (seen += line.length))
    lines.on('end', resolve).on('error', reject)
  })
}

async function byReadline(chunks: readonly Buffer[]): Promise<void> {
  const lines = createInterface({ input: Readable.from(chunks, { objectMode: false }), crlfDelay: Infinity })
  lines.on('line', (line) => (seen += line.length))
  await new Promise((resolve) => lines.on('close', resolve))
}

function byLengthPrefixed(chunks: readonly Buffer[]): void {
  for (const string of decode(chunks, { maxDataLength: 1_048_576 })) seen += string.byteLength
}

/* ---------------------------------------------------------------- */

/** The first of each is what the others are compared with. */
export const linesAsBytes: Readonly<Record<string, Way>> = {
  LineReceiver: ours(() => new Lines()),
  'by hand': byHand(() => new Splitter()),
  'Buffer.concat': byHand(() => new Naive()),
}
export const linesAsText: Readonly<Record<string, Way>> = {
  TextLineReceiver: ours(() => new TextLines()),
  split2: bySplit2,
  readline: byReadline,
}
export const varints: Readonly<Record<string, Way>> = {
  VarintStringReceiver: ours(() => new Varints()),
  'it-length-prefixed': byLengthPrefixed,
}
export const int32s: Readonly<Record<string, Way>> = {
  Int32StringReceiver: ours(() => new Int32s()),
  'by hand': byHand(() => new Strings()),
}
export const netstrings: Readonly<Record<string, Way>> = {
  NetstringReceiver: ours(() => new Netstrings()),
}

/** A receiver, and how a frame of so many bytes begins. */
export type Begin = (bytes: number) => [LineReceiver | StringReceiver, Uint8Array]

export const begun: Readonly<Record<string, Begin>> = {
  LineReceiver: () => [new Lines(), new Uint8Array(0)],
  NetstringReceiver: (bytes) => [new Netstrings(), toBytes(`${bytes}:`)],
  Int32StringReceiver: (bytes) => [new Int32s(), new Uint8Array([0, bytes >> 16, bytes >> 8, bytes])],
  VarintStringReceiver: (bytes) => [
    new Varints(),
    new Uint8Array([(bytes & 127) | 128, ((bytes >> 7) & 127) | 128, bytes >> 14]),
  ],
}
