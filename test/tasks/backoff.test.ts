/** backoff: how long to wait before trying again. */
import { backoff } from 'couplet'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const never = { random: () => 0 }
const delays = (next: (failures: number) => number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => next(index + 1))

describe('backoff', () => {
  it('doubles from half a second to a minute, and stays there', () => {
    expect(delays(backoff(never), 9)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    expect(backoff(never)(1_000_000)).toBe(60_000)
  })

  it('leaves all of it to chance until clients are spread, and then a tenth, unless it is told otherwise', () => {
    const half = { random: () => 0.5 }
    expect(delays(backoff(half), 10).slice(-4)).toEqual([16_000, 30_000, 57_000, 57_000])
    expect(delays(backoff(half, { initialDelay: 1000, maxDelay: 1000 }), 3)).toEqual([500, 950, 950])
    expect(backoff({ random: () => 0.75 })(3)).toBe(500)
    expect(backoff({ random: () => 0.75 }, { jitter: 0.4 })(3)).toBeCloseTo(2000 * 0.7)
    expect(backoff({ random: () => 0.75 }, { jitter: 0 })(3)).toBe(2000)
  })

  it('repeats itself from the same seed', () => {
    const seeded = (): { random(): number } => {
      let state = 42
      return { random: () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31 }
    }
    expect(delays(backoff(seeded()), 20)).toEqual(delays(backoff(seeded()), 20))
    expect(new Set(delays(backoff(seeded()), 20)).size).toBe(20)
  })

  it('takes other numbers', () => {
    const next = backoff(never, { initialDelay: 100, maxDelay: 1000, factor: 3 })
    expect(delays(next, 5)).toEqual([100, 300, 900, 1000, 1000])
    expect(delays(backoff(never, { initialDelay: 100, factor: 1 }), 3)).toEqual([100, 100, 100])
  })

  it('is always a time that can be waited: more than 0, and no more than the limit', () => {
    const options = fc.record({
      initialDelay: fc.double({ min: 1, max: 1000, noNaN: true }),
      maxDelay: fc.double({ min: 1000, max: 1e6, noNaN: true }),
      factor: fc.double({ min: 1, max: 1e300, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(options, chance, fc.integer({ min: 1, max: 2 ** 31 }), (options, chance, failures) => {
        const ms = backoff({ random: () => chance }, options)(failures)
        expect(ms).toBeGreaterThan(0)
        expect(ms).toBeLessThanOrEqual(options.maxDelay)
      }),
    )
  })

  it.each([
    { initialDelay: 0 },
    { initialDelay: 61_000 },
    { maxDelay: Infinity },
    { maxDelay: NaN },
    { factor: 0.5 },
    { factor: Infinity },
    { jitter: -0.1 },
    { jitter: 1.1 },
    { jitter: NaN },
  ])('refuses %j', (options) => {
    expect(() => backoff(never, options)).toThrow(RangeError)
  })

  it.each([0, -1, NaN])('refuses to wait after %d failures', (failures) => {
    expect(() => backoff(never)(failures)).toThrow(RangeError)
  })
})
