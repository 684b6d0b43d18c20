/**
 * How fast lines are found, beside what one would write by hand; and that the cost does not depend on the chunking.
 *
 * Pairs: each round times all ways one after the other, in turning order, and only times of the same round are divided
 * by each other; so a machine that is busy for a while slows both sides of a ratio. `npm run bench -- framing`.
 */
import { FrameBuffer, LineReceiver } from 'couplet'
import { connected } from 'couplet/testing'

const lineLength = 62
const chunkSize = 64 * 1024
const chunkCount = 256
const rounds = 31

/** What arrives: lines of 62 bytes and CRLF, in chunks that cut every so many lines in two. */
function chunksOfLines(): Buffer[] {
  const line = `${'x'.repeat(lineLength)}\r\n`
  const all = Buffer.from('shift' + line.repeat(Math.ceil((chunkSize * chunkCount) / line.length)))
  return Array.from({ length: chunkCount }, (_, index) =>
    // A copy each, as sockets give them: memory of its own.
    Buffer.from(new Uint8Array(all.subarray(index * chunkSize, (index + 1) * chunkSize)).buffer),
  )
}

let seen = 0

class Count extends LineReceiver {
  override lineReceived(line: Uint8Array): void {
    seen += line.length
  }
}

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

const chunks = chunksOfLines()

const ways: Record<string, () => (chunk: Buffer) => void> = {
  LineReceiver: () => {
    const protocol = new Count()
    connected(protocol)
    return (chunk) => protocol.dataReceived(chunk)
  },
  'by hand': () => {
    const splitter = new Splitter()
    return (chunk) => splitter.onData(chunk)
  },
  'Buffer.concat': () => {
    const naive = new Naive()
    return (chunk) => naive.onData(chunk)
  },
}

function time(make: () => (chunk: Buffer) => void, input: readonly Buffer[]): number {
  const take = make()
  return cpu(() => {
    for (const chunk of input) take(chunk)
  })
}

/** Milliseconds of processor time; what other programs do meanwhile does not count. */
function cpu(work: () => void): number {
  const begin = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1000
}

function quartiles(values: readonly number[]): [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)]!
  return [at(0.25), at(0.5), at(0.75)]
}

function compare(): void {
  const names = Object.keys(ways)
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -5; round < rounds; round++) {
    for (let index = 0; index < names.length; index++) {
      const name = names[(index + round + names.length * 5) % names.length]!
      const ms = time(ways[name]!, chunks)
      if (round >= 0) times[name]!.push(ms)
    }
  }
  const lines = (chunkSize * chunkCount) / (lineLength + 2)
  console.log(`lines of ${lineLength} bytes in chunks of ${chunkSize / 1024} KiB; ratios: quartiles of ${rounds} pairs`)
  for (const name of names) {
    const [, median] = quartiles(times[name]!)
    const ratios = quartiles(times[name]!.map((ms, round) => ms / times['LineReceiver']![round]!))
    const perLine = ((median * 1e6) / lines).toFixed(1).padStart(6)
    const perSecond = (lines / median / 1000).toFixed(2).padStart(6)
    const pairs = ratios.map((ratio) => ratio.toFixed(2)).join(' / ')
    console.log(`  ${name.padEnd(14)} ${perSecond} M lines/s ${perLine} ns/line   time as a multiple of ours: ${pairs}`)
  }
}

/** Milliseconds for one line of so many bytes that comes byte by byte. */
function byteByByte(bytes: number): number {
  const chunk = new Uint8Array([0x78])
  const protocol = new Count()
  protocol.maxLength = Infinity
  connected(protocol)
  return cpu(() => {
    for (let index = 0; index < bytes; index++) protocol.dataReceived(chunk)
  })
}

function linearity(): boolean {
  byteByByte(1024 * 1024)
  const pairs = Array.from({ length: 9 }, () => {
    // Sixteen short ones take as long as one long one should, so that both are measured equally well.
    let small = 0
    for (let count = 0; count < 16; count++) small += byteByByte(64 * 1024)
    const large = byteByByte(1024 * 1024)
    return { ratio: large / (small / 16), perByte: (large * 1e6) / 1024 / 1024 }
  })
  const [, ratio] = quartiles(pairs.map((pair) => pair.ratio))
  const [, perByte] = quartiles(pairs.map((pair) => pair.perByte))
  console.log(
    `one line in chunks of 1 byte: 1 MiB takes ${ratio.toFixed(1)} times as long as 64 KiB; ${perByte.toFixed(0)} ns/byte`,
  )
  return ratio <= 20
}

compare()
if (seen === 0 || new FrameBuffer().length > 0) throw new Error('nothing was measured')
if (!linearity()) {
  console.error('not linear: 16 would be, 20 is allowed')
  process.exitCode = 1
}
