/** A server that comes back is not overrun by the clients that have waited for it. */
import { expect, it } from 'vitest'
import { recover } from './recovery.ts'

it('a thousand clients come back after ten minutes, at twice the mean rate at most, and none after a stop', () => {
  const { back, time, mean, peak, attemptsAfterStop, openAfterStop } = recover(0)
  expect(back).toBe(1000)
  expect(time).toBeLessThanOrEqual(60_000)
  expect(peak).toBeLessThanOrEqual(2 * mean)
  expect([attemptsAfterStop, openAfterStop]).toEqual([0, 0])
})
