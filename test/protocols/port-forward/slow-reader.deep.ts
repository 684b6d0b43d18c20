/** 10 GiB through a forwarder whose reader stops again and again: its memory stays as it is. `FORWARD_GIB=1` for less. */
import { expect, it } from 'vitest'
import { stream } from './slow-reader.ts'

const gibibytes = Number(process.env['FORWARD_GIB'] ?? 10)

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

it(`${gibibytes} GiB, byte for byte, and no memory`, async () => {
  const { samples, hashes, busy } = await stream(gibibytes * 2 ** 30, 64 << 20)
  expect(hashes[1]).toBe(hashes[0])
  const third = Math.floor(samples.length / 3)
  const parts = [samples.slice(0, third), samples.slice(third, -third), samples.slice(-third)]
  const inMiB = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  const of = (key: 'rss' | 'heap' | 'queued' | 'between'): string => {
    const most = Math.max(...samples.map((sample) => sample[key]))
    const medians = parts.map((part) => inMiB(median(part.map((sample) => sample[key]))))
    return `${key} ${medians.join(', ')} MiB in the first, second and last third, ${inMiB(most)} at most`
  }
  console.log(
    `${((gibibytes * 2 ** 30) / 1e3 / busy).toFixed(0)} MB/s while it was read; ${samples.length} standstills`,
  )
  console.log((['rss', 'heap', 'queued', 'between'] as const).map(of).join('\n'))
  expect(Math.max(...samples.map(({ queued }) => queued))).toBeLessThanOrEqual(128 * 1024)
  const [early, , late] = parts.map((part) => [
    median(part.map(({ rss }) => rss)),
    median(part.map(({ heap }) => heap)),
  ])
  expect(late![0]! - early![0]!).toBeLessThan(16 << 20)
  expect(late![1]! - early![1]!).toBeLessThan(1 << 20)
})
