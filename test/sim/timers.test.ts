/** Timers of a simulated world: virtual time counts in whole microseconds, and no timer is ever early. */
import { Sim, type SimReactor } from 'couplet/sim'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** Delays as programs make them: whole ones, sums and parts of them, and any number at all. */
const delay = fc.oneof(
  fc.nat(100_000),
  fc.nat(1_000_000).map((n) => n / 1000),
  fc.nat(10_000).map((n) => n * 0.1),
  fc.nat(10_000).map((n) => n * 0.07 + 0.001),
  fc.double({ min: 0, max: 1e7, noNaN: true }),
  fc.double({ min: 0, max: 1e-3, noNaN: true }),
)

/** How many whole microseconds a moment is, if it is one that the clock can show. */
function wholeMicroseconds(ms: number): number {
  const us = Math.round(ms * 1000)
  expect(us / 1000).toBe(ms)
  return us
}

/** Whether `later` is `ms` after `moment` and no microsecond more, both by counting and by adding. */
function isFirstAfter(moment: number, ms: number, later: number): boolean {
  const start = wholeMicroseconds(moment)
  const isAfter = (us: number): boolean => (us - start) / 1000 >= ms && us / 1000 >= moment + ms
  const us = wholeMicroseconds(later)
  return isAfter(us) && !isAfter(us - 1)
}

function host(): [Sim, SimReactor] {
  const sim = new Sim()
  return [sim, sim.host('host').reactor]
}

describe('a timer', () => {
  it('is called at its time, which is the first moment of the clock that is not too early', () => {
    fc.assert(
      fc.property(fc.array(delay, { minLength: 1, maxLength: 20 }), (delays) => {
        const [sim, reactor] = host()
        let calls = 0
        const next = (): void => {
          const ms = delays[calls]
          if (ms === undefined) return
          const start = reactor.now()
          const timer = reactor.callLater(ms, () => {
            calls++
            expect(reactor.now()).toBe(timer.time)
            expect(isFirstAfter(start, ms, timer.time)).toBe(true)
            next()
          })
        }
        next()
        sim.advance(1e9)
        expect(calls).toBe(delays.length)
      }),
    )
  })

  it('that is moved is not early either', () => {
    fc.assert(
      fc.property(delay, delay, fc.double({ min: -1e6, max: 1e6, noNaN: true }), delay, (ms, again, by, later) => {
        const [sim, reactor] = host()
        let called: number | undefined
        const timer = reactor.callLater(ms, () => (called = reactor.now()))
        timer.reset(again)
        const before = timer.time
        timer.delay(by)
        expect(isFirstAfter(before, by, timer.time)).toBe(true)
        timer.delay(later)
        sim.advance(1e9)
        expect(called).toBe(Math.max(0, timer.time))
      }),
    )
  })

  it('of a program that is busy is set by its own time', () => {
    fc.assert(
      fc.property(delay, delay, (busy, ms) => {
        const [sim, reactor] = host()
        let called: number | undefined
        reactor.callLater(1, () => {
          reactor.busy(busy)
          const timer = reactor.callLater(ms, () => {
            called = reactor.now()
            expect(called).toBe(timer.time)
          })
        })
        sim.advance(1e9)
        expect(called).toBeGreaterThanOrEqual(1 + ms)
      }),
    )
  })

  it('takes what is only rounding for what it is', () => {
    const [sim, reactor] = host()
    const seen: number[] = []
    for (const ms of [0.1 + 0.2, 0.07, 1.1, 4.35, 1.005]) reactor.callLater(ms, () => seen.push(reactor.now()))
    sim.advance(1000)
    expect(seen).toEqual([0.07, 0.301, 1.005, 1.1, 4.35])
  })
})
