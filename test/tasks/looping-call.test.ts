/** LoopingCall: a function called again and again, on a grid that does not drift. */
import { CancelledError, Deferred, type DelayedCall, LoopingCall } from 'couplet'
import { ManualClock } from 'couplet/testing'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { outcome } from '../scripted-reactor.ts'
import { LateClock } from './late-clock.ts'

let clock: ManualClock
let times: number[]
const reports = takeReports()
beforeEach(() => {
  clock = new ManualClock()
  times = []
})

function note(): void {
  times.push(clock.now())
}

describe('LoopingCall', () => {
  it('calls at once, and then once every interval', () => {
    const loop = new LoopingCall(clock, note)
    const ended = outcome(loop.start(10))
    expect([times, loop.running, loop.interval]).toEqual([[0], true, 10])
    clock.advance(35)
    expect([times, ended]).toEqual([[0, 10, 20, 30], {}])
  })

  it('waits for the first interval if it is told to', () => {
    new LoopingCall(clock, note).start(10, false)
    expect(times).toEqual([])
    clock.advance(20)
    expect(times).toEqual([10, 20])
  })

  it('stays on its grid, start + k · interval, however late a call is, and makes up for none', () => {
    const late = new LateClock()
    const loop = new LoopingCall(late, () => void times.push(late.now()))
    loop.start(1000)
    for (const now of [3100, 3999, 4000, 5000]) late.jumpTo(now)
    expect(times).toEqual([0, 3100, 4000, 5000])
  })

  it('tells how many intervals have passed, if it is asked to', () => {
    const late = new LateClock()
    const counts: number[] = []
    LoopingCall.withCount(late, (count) => counts.push(count)).start(1000)
    for (const now of [1000, 4100, 5000, 5999, 6000]) late.jumpTo(now)
    expect(counts).toEqual([1, 1, 3, 1, 1])
  })

  it('counts the first interval when it begins with one', () => {
    const counts: number[] = []
    LoopingCall.withCount(clock, (count) => counts.push(count)).start(1000, false)
    clock.advance(2000)
    expect(counts).toEqual([1, 1])
  })

  it('counts 1 every time for the interval 0, and calls once every turn', () => {
    const late = new LateClock()
    const counts: number[] = []
    LoopingCall.withCount(late, (count) => counts.push(count)).start(0)
    for (let turn = 1; turn <= 3; turn++) late.jumpTo(Math.floor(turn / 2))
    expect(counts).toEqual([1, 1, 1, 1])
  })

  it('gives its function nothing, so that one with an optional parameter is safe', () => {
    const given: unknown[][] = []
    new LoopingCall(clock, (...args: unknown[]) => given.push(args)).start(10)
    clock.advance(10)
    expect(given).toEqual([[], []])
  })

  it('neither drifts nor skips nor repeats a point for any interval and start', () => {
    const interval = fc.oneof(fc.double({ min: 0.01, max: 5000, noNaN: true }), fc.constantFrom(0.1, 0.3, 1 / 3, 1e-2))
    const begin = fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.double({ min: 0, max: 1e12, noNaN: true }))
    fc.assert(
      fc.property(begin, interval, (start, ms) => {
        const clock = new ManualClock(start)
        const seen: number[] = []
        const counts: number[] = []
        const loop = LoopingCall.withCount(clock, (count) => {
          seen.push(clock.now())
          counts.push(count)
          if (seen.length === 50) loop.stop()
        })
        loop.start(ms)
        clock.advance(60 * ms + 1)
        expect(counts).toEqual(seen.map(() => 1))
        expect(seen.length).toBe(50)
        // Within what one rounding of a time costs.
        const rounding = 2 * Number.EPSILON * (start + 60 * ms)
        for (const [k, time] of seen.entries()) expect(Math.abs(time - (start + k * ms))).toBeLessThanOrEqual(rounding)
      }),
      { numRuns: 150 },
    )
  })

  it('counts every interval exactly once, whatever the clock does', () => {
    const jumps = fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 20, noNaN: true }), jumps, (ms, jumps) => {
        const late = new LateClock()
        let total = 0
        LoopingCall.withCount(late, (count) => {
          expect(count).toBeGreaterThanOrEqual(1)
          total += count
        }).start(ms, false)
        for (const jump of jumps) {
          late.jumpTo(late.now() + jump)
          expect(Math.abs(total - late.now() / ms)).toBeLessThan(1 + 1e-6)
        }
      }),
    )
  })

  it('has come as far as the grid has, to the last bit, at each of its points and right beside them', () => {
    const beside = fc.record({ points: fc.integer({ min: 1, max: 1000 }), bits: fc.constantFrom(-1, 0, 1) })
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1000, noNaN: true }), fc.array(beside, { minLength: 1 }), (ms, jumps) => {
        const late = new LateClock()
        let total = 0
        LoopingCall.withCount(late, (count) => (total += count)).start(ms, false)
        let target = 0
        for (const { points, bits } of jumps) {
          target += points
          const now = target * ms * (1 + bits * Number.EPSILON)
          late.jumpTo(now)
          const reached = [target - 1, target, target + 1].findLast((point) => point * ms <= now)
          expect(total).toBe(reached)
        }
      }),
    )
  })

  it('is not misled by a clock whose timers come a hair early', () => {
    const early = new (class extends LateClock {
      override callLater(ms: number, f: () => unknown): DelayedCall {
        return super.callLater(Math.floor(ms), f)
      }
    })()
    const counts: number[] = []
    LoopingCall.withCount(early, (count) => {
      times.push(early.now())
      counts.push(count)
    }).start(10.5)
    for (let now = 0; now <= 42; now++) early.jumpTo(now)
    expect([times, counts]).toEqual([
      [0, 10, 21, 31, 42],
      [1, 1, 1, 1, 1],
    ])
  })

  it('waits for what the function returns, and goes on at the next point of the grid', () => {
    const works: Deferred<void>[] = []
    const loop = new LoopingCall(clock, () => {
      note()
      const work = new Deferred<void>()
      works.push(work)
      return work
    })
    loop.start(10)
    clock.advance(25)
    expect(times).toEqual([0])
    works[0]?.callback()
    clock.advance(10)
    expect(times).toEqual([0, 30])
    works[1]?.callback()
    clock.advance(5)
    expect(times).toEqual([0, 30, 40])
  })

  it('waits for a promise, too', async () => {
    const loop = new LoopingCall(clock, async () => {
      note()
      await Promise.resolve()
    })
    const ended = loop.start(10)
    clock.advance(100)
    expect(times).toEqual([0])
    await turnOfMicrotasks()
    clock.advance(10)
    expect(times).toEqual([0, 110])
    loop.stop()
    expect(await ended).toBe(loop)
  })

  it('ends with itself when it is stopped, at once if no call is going on', () => {
    const loop = new LoopingCall(clock, note)
    const ended = outcome(loop.start(10))
    clock.advance(15)
    loop.stop()
    expect(ended).toEqual({ value: loop })
    expect([loop.running, clock.pending()]).toEqual([false, []])
  })

  it('ends when the present call has finished, if one is going on', () => {
    const work = new Deferred<void>()
    const loop = new LoopingCall(clock, () => work)
    const ended = outcome(loop.start(10))
    loop.stop()
    expect([ended, loop.running]).toEqual([{}, false])
    work.callback()
    expect(ended).toEqual({ value: loop })
    expect(clock.pending()).toEqual([])
  })

  it('can be stopped inside its function, even in the first call', () => {
    const loop: LoopingCall = new LoopingCall(clock, () => {
      note()
      loop.stop()
      expect(loop.running).toBe(false)
    })
    expect(outcome(loop.start(10))).toEqual({ value: loop })
    expect([times, clock.pending()]).toEqual([[0], []])
  })

  it.each(['throws', 'returns a Deferred that fails', 'returns a promise that is rejected'])(
    'ends with the error when its function %s',
    async (how) => {
      const broken = new Error('no ink')
      const loop = new LoopingCall(clock, () => {
        if (times.push(0) === 1) return undefined
        if (how === 'throws') throw broken
        const failed = new Deferred<void>()
        failed.errback(broken)
        return how.includes('Deferred') ? failed : failed.toPromise()
      })
      const ended = outcome(loop.start(10))
      clock.advance(10)
      await turnOfMicrotasks()
      expect(ended).toEqual({ error: broken })
      expect([loop.running, clock.pending()]).toEqual([false, []])
      reports.endTurn()
      expect(reports.all).toEqual([])
    },
  )

  it('fails also when it was stopped while the call that fails was going on', () => {
    const work = new Deferred<void>()
    const loop = new LoopingCall(clock, () => work)
    const ended = outcome(loop.start(10))
    loop.stop()
    const broken = new Error('no ink')
    work.errback(broken)
    expect(ended).toEqual({ error: broken })
  })

  it('is reported when it fails and nobody listens', () => {
    const broken = new Error('no ink')
    new LoopingCall(clock, () => {
      throw broken
    }).start(10)
    reports.endTurn()
    expect(reports.errors).toEqual([broken])
  })

  it('can be started again, inside the callback that says it has ended, too', () => {
    const loop = new LoopingCall(clock, note)
    let restarted: Deferred<LoopingCall> | undefined
    loop.start(10).addCallback((ended) => {
      restarted = ended.start(7)
    })
    clock.advance(12)
    loop.stop()
    clock.advance(8)
    expect(times).toEqual([0, 10, 12, 19])
    loop.stop()
    expect(restarted && outcome(restarted)).toEqual({ value: loop })
  })

  it('can be started again after it failed', () => {
    let broken = true
    const loop = new LoopingCall(clock, () => {
      note()
      if (broken) throw new Error('no ink')
    })
    expect(outcome(loop.start(10))).toHaveProperty('error')
    broken = false
    loop.start(10)
    clock.advance(10)
    expect(times).toEqual([0, 0, 10])
  })

  it('begins a new grid at reset', () => {
    const counts: number[] = []
    const loop = LoopingCall.withCount(clock, (count) => {
      note()
      counts.push(count)
    })
    loop.start(10)
    clock.advance(14)
    loop.reset()
    clock.advance(20)
    expect([times, counts]).toEqual([
      [0, 10, 24, 34],
      [1, 1, 1, 1],
    ])
  })

  it('resets while a call is going on, without calling twice', () => {
    const works: Deferred<void>[] = []
    const loop = new LoopingCall(clock, () => {
      note()
      works.push(new Deferred())
      return works.at(-1)
    })
    loop.start(10)
    clock.advance(3)
    loop.reset()
    works[0]?.callback()
    clock.advance(9)
    expect([times, clock.pending().length]).toEqual([[0], 1])
    clock.advance(1)
    expect(times).toEqual([0, 13])
  })

  it('throws when it is started twice, or stopped or reset while it does not run', () => {
    const loop = new LoopingCall(clock, note)
    expect(() => loop.stop()).toThrow('stop() of a LoopingCall that is not running')
    expect(() => loop.reset()).toThrow('reset() of a LoopingCall that is not running')
    loop.start(10)
    expect(() => loop.start(10)).toThrow('running already')
    expect(times).toEqual([0])
  })

  it('never has two calls going on: starting again waits for the last one', () => {
    const work = new Deferred<void>()
    const loop = new LoopingCall(clock, () => {
      note()
      return work
    })
    loop.start(10)
    loop.stop()
    expect(() => loop.start(10)).toThrow('has not finished')
    work.callback()
    loop.start(10)
    expect(times).toEqual([0, 0])
  })

  it.each([-1, NaN, Infinity])('throws for the interval %d, and is as it was', (ms) => {
    const loop = new LoopingCall(clock, note)
    expect(() => loop.start(ms)).toThrow(RangeError)
    expect([loop.running, times]).toEqual([false, []])
  })

  it('stops when what start() gave is cancelled', () => {
    const loop = new LoopingCall(clock, note)
    const running = loop.start(10)
    const ended = outcome(running)
    clock.advance(10)
    running.cancel()
    expect(ended.error).toBeInstanceOf(CancelledError)
    expect([loop.running, clock.pending()]).toEqual([false, []])
  })

  it('cancelled, cancels what the present call waits for, and can be started again', () => {
    const given: unknown[] = []
    const loop = new LoopingCall(clock, () => new Deferred<void>((_, reason) => given.push(reason)))
    const running = loop.start(10)
    const ended = outcome(running)
    running.cancel('enough')
    expect(given).toEqual(['enough'])
    expect(ended.error).toBeInstanceOf(CancelledError)
    reports.endTurn()
    expect(reports.all).toEqual([])
    loop.start(10)
    expect(loop.running).toBe(true)
  })

  it('can have its time limited by a timeout', () => {
    const loop = new LoopingCall(clock, note)
    const ended = outcome(loop.start(10).addTimeout(25, clock))
    clock.advance(100)
    expect(times).toEqual([0, 10, 20])
    expect(ended.error).toMatchObject({ name: 'TimeoutError', ms: 25 })
    expect(clock.pending()).toEqual([])
  })

  it('is typed', () => {
    expectTypeOf(new LoopingCall(clock, note).start(1)).toEqualTypeOf<Deferred<LoopingCall>>()
    // @ts-expect-error -- only withCount says how many
    expect(() => new LoopingCall(clock, (count: number) => count)).not.toThrow()
  })
})

async function turnOfMicrotasks(): Promise<void> {
  for (let step = 0; step < 20; step++) await Promise.resolve()
}
