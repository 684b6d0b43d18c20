/**
 * Feeds the same bytes in every way in which a network may cut them, because where chunks end means nothing.
 *
 * No ancestor; Twisted's own tests do it byte by byte.
 */
import { escaped } from '../core/bytes.ts'

/** Bytes up to this length are cut in all ways: 32,768 of them. */
const allCuts = 16
/** Up to this length, in all ways with one or two cuts: 32,640 of them at most. */
const twoCuts = 256
/** Longer ones: in so many ways by chance, beside the regular ones. */
const byChance = 20

/**
 * Runs `body` once for every chunking of `bytes`: up to 16 bytes all there are; up to 256 bytes byte by byte, whole and
 * with every one and every two cuts; longer ones in pieces of 1 to 20 bytes, whole, with one cut near either end, and in
 * twenty ways by chance, which are the same each time. If it throws, the error's message says which chunking it was.
 *
 * @param body gets the chunks, each 1 byte or more in memory of its own; make the protocol anew in it
 *
 * @example
 * everyChunking(toBytes('one\r\ntwo\r\n'), (chunks) => {
 *   const transport = connected(new Echo())
 *   for (const chunk of chunks) transport.receive(chunk)
 *   expect(transport.text()).toBe('one\r\ntwo\r\n')
 * })
 */
export function everyChunking(bytes: Uint8Array, body: (chunks: readonly Uint8Array[]) => void): void {
  for (const ends of chunkings(bytes.length)) {
    // Twice the same cuts: what the body may have done to its chunks must not reach the message.
    try {
      body(cut(bytes, ends))
    } catch (error) {
      throw withChunks(error, cut(bytes, ends))
    }
  }
}

/** The ways to cut `length` bytes, each as the places where chunks end. */
function* chunkings(length: number): Generator<readonly number[]> {
  if (length <= allCuts) {
    yield* all(length)
    return
  }
  yield [length]
  if (length <= twoCuts) {
    yield regular(length, 1)
    for (let first = 1; first < length; first++) {
      yield [first, length]
      for (let second = first + 1; second < length; second++) yield [first, second, length]
    }
    return
  }
  for (let size = 1; size <= 20; size++) {
    yield regular(length, size)
    yield [size, length]
    yield [length - size, length]
  }
  const chance = sequence(length)
  for (let count = 0; count < byChance; count++) yield irregular(length, chance)
}

function* all(length: number): Generator<readonly number[]> {
  // Each bit of `cuts` says whether there is a cut at its place.
  for (let cuts = 0; cuts < 2 ** Math.max(0, length - 1); cuts++) {
    const ends = Array.from({ length: length - 1 }, (_, index) => index + 1).filter((end) => cuts & (1 << (end - 1)))
    yield length === 0 ? [] : [...ends, length]
  }
}

function regular(length: number, size: number): readonly number[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, index) => Math.min((index + 1) * size, length))
}

/** Small and large chunks side by side: each size is as likely as its half. */
function irregular(length: number, chance: () => number): readonly number[] {
  const ends: number[] = []
  for (let end = 0; end < length;) {
    end = Math.min(length, end + Math.ceil(length ** chance()))
    ends.push(end)
  }
  return ends
}

/** Numbers from 0 up to 1 that look like chance and are the same for the same seed (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The chunks, with something else before and after each, so that who looks beyond its chunk sees the wrong bytes. */
function cut(bytes: Uint8Array, ends: readonly number[]): readonly Uint8Array[] {
  let start = 0
  return ends.map((end) => {
    const memory = new Uint8Array(end - start + 2).fill(0xa5)
    memory.set(bytes.subarray(start, end), 1)
    start = end
    return memory.subarray(1, -1)
  })
}

function withChunks(error: unknown, chunks: readonly Uint8Array[]): unknown {
  const some = chunks.slice(0, 20).map((chunk) => escaped(chunk, 40))
  const more = chunks.length > some.length ? ` … (${chunks.length} chunks)` : ''
  const where = `with these chunks: ${some.join(' ')}${more}`
  if (!(error instanceof Error)) return new Error(`${String(error)} was thrown, ${where}`, { cause: error })
  error.message += `\n${where}`
  return error
}
