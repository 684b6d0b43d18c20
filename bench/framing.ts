/**
 * How fast frames are found, beside what one would write by hand and beside libraries; and that the cost does not depend
 * on the chunking.
 *
 * Pairs: each round times all ways one after the other, in turning order, and only times of the same round are divided
 * by each other; so a machine that is busy for a while slows both sides of a ratio. `npm run bench -- framing`.
 */
import { connected } from 'couplet/testing'
import {
  type Begin,
  begun,
  int32s,
  linesAsBytes,
  linesAsText,
  netstrings,
  seen,
  varints,
  type Way,
} from './work/framing.ts'

const length = 62
const chunkSize = 64 * 1024
const chunkCount = 128
const rounds = 31

/** What arrives: frames of 62 bytes, in chunks of 64 KiB that cut one frame in two every now and then. */
function chunksOf(before: string, after: string): { chunks: Buffer[]; frames: number } {
  const frame = `${before}${'x'.repeat(length)}${after}`
  const frames = Math.floor((chunkSize * chunkCount) / frame.length)
  const all = Buffer.from(frame.repeat(frames), 'latin1')
  const chunks = Array.from({ length: chunkCount }, (_, index) =>
    // A copy each, as sockets give them: memory of its own.
    Buffer.from(new Uint8Array(all.subarray(index * chunkSize, (index + 1) * chunkSize)).buffer),
  )
  return { chunks: chunks.filter((chunk) => chunk.length > 0), frames }
}

/** Milliseconds of processor time; what other programs do meanwhile does not count. */
async function cpu(work: () => void | Promise<void>): Promise<number> {
  const begin = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1000
}

function quartiles(values: readonly number[]): [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)]!
  return [at(0.25), at(0.5), at(0.75)]
}

async function compare(
  what: string,
  ways: Readonly<Record<string, Way>>,
  before: string,
  after: string,
): Promise<void> {
  const { chunks, frames } = chunksOf(before, after)
  const names = Object.keys(ways)
  const ours = names[0]!
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -5; round < rounds; round++) {
    for (let index = 0; index < names.length; index++) {
      const name = names[(index + round + names.length * 5) % names.length]!
      const seenBefore = seen
      const ms = await cpu(() => ways[name]!(chunks))
      if (seen - seenBefore !== frames * length) throw new Error(`${name} lost something`)
      if (round >= 0) times[name]!.push(ms)
    }
  }
  console.log(`${what} of ${length} bytes in chunks of ${chunkSize / 1024} KiB; ratios: quartiles of ${rounds} pairs`)
  for (const name of names) {
    const [, median] = quartiles(times[name]!)
    const ratios = quartiles(times[name]!.map((ms, round) => ms / times[ours]![round]!))
    const each = ((median * 1e6) / frames).toFixed(1).padStart(6)
    const perSecond = (frames / median / 1000).toFixed(2).padStart(6)
    const pairs = ratios.map((ratio) => ratio.toFixed(2)).join(' / ')
    console.log(`  ${name.padEnd(20)} ${perSecond} M/s ${each} ns each   time as a multiple of ours: ${pairs}`)
  }
}

/** Milliseconds for one frame of so many bytes that comes byte by byte. */
function byteByByte(begin: Begin, bytes: number): Promise<number> {
  const chunk = new Uint8Array([0x78])
  const [protocol, header] = begin(bytes)
  protocol.maxLength = Infinity
  connected(protocol)
  return cpu(() => {
    for (const byte of header) protocol.dataReceived(new Uint8Array([byte]))
    for (let index = 0; index < bytes; index++) protocol.dataReceived(chunk)
  })
}

async function linear(what: string, begin: Begin): Promise<boolean> {
  await byteByByte(begin, 1024 * 1024)
  const pairs: { ratio: number; perByte: number }[] = []
  for (let count = 0; count < 9; count++) {
    // Sixteen short ones take as long as one long one should, so that both are measured equally well.
    let small = 0
    for (let times = 0; times < 16; times++) small += await byteByByte(begin, 64 * 1024)
    const large = await byteByByte(begin, 1024 * 1024)
    pairs.push({ ratio: large / (small / 16), perByte: (large * 1e6) / 1024 / 1024 })
  }
  const [, ratio] = quartiles(pairs.map((pair) => pair.ratio))
  const [, perByte] = quartiles(pairs.map((pair) => pair.perByte))
  const [ratioText, perByteText] = [ratio.toFixed(1).padStart(5), perByte.toFixed(0).padStart(4)]
  console.log(`  ${what.padEnd(20)} 1 MiB takes ${ratioText} times as long as 64 KiB; ${perByteText} ns/byte`)
  return ratio <= 20
}

await compare('lines as bytes', linesAsBytes, '', '\r\n')
await compare('lines as text', linesAsText, '', '\r\n')
await compare('strings after a varint', varints, '\x3e', '')
await compare('strings after four bytes', int32s, '\0\0\0\x3e', '')
await compare('netstrings', netstrings, '62:', ',')

console.log('one frame in chunks of 1 byte')
const verdicts: boolean[] = []
for (const [what, begin] of Object.entries(begun)) verdicts.push(await linear(what, begin))
if (verdicts.includes(false)) {
  console.error('not linear: 16 would be, 20 is allowed')
  process.exitCode = 1
}
