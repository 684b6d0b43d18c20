/** everyChunking: the same bytes, cut in every way. */
import { equal, join, toBytes } from 'couplet'
import { everyChunking } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

const some = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index)

function sizes(bytes: Uint8Array): number[][] {
  const all: number[][] = []
  everyChunking(bytes, (chunks) => {
    if (!equal(join(chunks), bytes) || chunks.some((chunk) => chunk.length === 0)) throw new Error('not these bytes')
    all.push(chunks.map((chunk) => chunk.length))
  })
  return all
}

const distinct = (all: number[][]): number => new Set(all.map(String)).size

describe('everyChunking', () => {
  it('cuts up to 16 bytes in all ways there are', () => {
    expect(sizes(some(0))).toEqual([[]])
    expect(sizes(some(1))).toEqual([[1]])
    expect(sizes(some(3)).sort()).toEqual([[1, 1, 1], [1, 2], [2, 1], [3]])
    expect(distinct(sizes(some(16)))).toBe(2 ** 15)
  })

  it('cuts up to 256 bytes in all ways with one or two cuts, and byte by byte', () => {
    const all = sizes(some(17))
    expect(distinct(all)).toBe(1 + 16 + (16 * 15) / 2 + 1)
    expect(all).toContainEqual(Array.from({ length: 17 }, () => 1))
    expect(all).toContainEqual([17])
    expect(all).toContainEqual([1, 15, 1])
  })

  it('cuts longer ones in regular pieces and by chance, in the same way each time', () => {
    const all = sizes(some(1000))
    expect(all).toContainEqual([1000])
    for (let size = 1; size <= 20; size++) expect(all).toContainEqual(expect.arrayContaining([size, size]))
    for (const near of [1, 20])
      expect(all).toEqual(
        expect.arrayContaining([
          [near, 1000 - near],
          [1000 - near, near],
        ]),
      )
    expect(distinct(all)).toBe(1 + 3 * 20 + 20)
    expect(sizes(some(1000))).toEqual(all)
  })

  it('gives chunks whose neighbors in memory are not their neighbors in the stream', () => {
    everyChunking(some(4), (chunks) => {
      for (const chunk of chunks) {
        const memory = new Uint8Array(chunk.buffer)
        expect([memory[chunk.byteOffset - 1], memory[chunk.byteOffset + chunk.length]]).toEqual([0xa5, 0xa5])
      }
    })
  })

  it('says which chunking it was when the body throws, and throws the same error', () => {
    const error = new TypeError('not a line')
    let thrown: unknown
    try {
      everyChunking(toBytes('a\r\n'), (chunks) => {
        if (chunks.length === 2 && chunks[0]?.length === 2) throw error
      })
    } catch (caught) {
      thrown = caught
    }
    expect(thrown).toBe(error)
    expect(error.message).toBe('not a line\nwith these chunks: "a\\r" "\\n"')
  })

  it('shows only the beginning of many long chunks', () => {
    const body = (chunks: readonly Uint8Array[]): void => {
      if (chunks.length > 50) throw new Error('broken')
    }
    expect(() => everyChunking(some(2000), body)).toThrow(/^broken\nwith these chunks: .{100,1000} … \(2000 chunks\)$/)
  })
})
