/** The same from many seeds, beside other policies, in figures. */
import { backoff } from 'couplet'
import { expect, it } from 'vitest'
import { type Recovery, recover } from './recovery.ts'

const seeds = Array.from({ length: 50 }, (_, seed) => seed)

it('from fifty seeds: the busiest second has less than twice the mean, but for what counting by chance adds', () => {
  const ratios = seeds.map((seed) => ratio(recover(seed))).toSorted((a, b) => a - b)
  console.log(`peak / mean, 50 seeds: ${summary(ratios)}`)
  expect(ratios[25]).toBeLessThan(1.8)
  expect(ratios[45]).toBeLessThan(2)
})

it.each([1, 0.5, 0])('with jitter %d all the way, for comparison', (jitter) => {
  const ratios = seeds.slice(0, 10).map((seed) => {
    let state = seed + 1
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
    return ratio(recover(seed, { retryPolicy: backoff({ random }, { jitter }) }))
  })
  console.log(`peak / mean, jitter ${jitter}: ${summary(ratios.toSorted((a, b) => a - b))}`)
  expect(Math.min(...ratios)).toBeGreaterThan(1)
})

function ratio({ peak, mean }: Recovery): number {
  return peak / mean
}

function summary(sorted: readonly number[]): string {
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(2)
  return `median ${at(0.5)}, 95 % at most ${at(0.95)}, worst ${at(1)}`
}
