/** ManualClock: time passes when the test says so, call by call. */
import { setReporter, type Report } from 'couplet'
import { ManualClock } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

describe('ManualClock', () => {
  it('stands still until it is advanced', () => {
    const clock = new ManualClock()
    const calls: string[] = []
    clock.callLater(10, () => calls.push('ten'))
    expect([clock.now(), calls]).toEqual([0, []])
    clock.advance(9)
    expect([clock.now(), calls]).toEqual([9, []])
    clock.advance(1)
    expect([clock.now(), calls]).toEqual([10, ['ten']])
  })

  it('steps to the time of each call, so that what a call sets counts from there', () => {
    const clock = new ManualClock(100)
    const seen: number[] = []
    clock.callLater(1, () => {
      seen.push(clock.now())
      clock.callLater(1, () => seen.push(clock.now()))
    })
    clock.advance(5)
    expect(seen).toEqual([101, 102])
    expect(clock.now()).toBe(105)
  })

  it('makes calls of the same time in the order in which they were set', () => {
    const clock = new ManualClock()
    const calls: number[] = []
    for (let index = 0; index < 100; index++) clock.callLater(5, () => calls.push(index))
    clock.advance(5)
    expect(calls).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })

  it('makes a callLater(0) of a call in the same advance, after the calls that were due already', () => {
    const clock = new ManualClock()
    const calls: string[] = []
    clock.callLater(5, () => {
      calls.push('first')
      clock.callLater(0, () => calls.push('inner'))
    })
    clock.callLater(5, () => calls.push('second'))
    clock.advance(5)
    expect(calls).toEqual(['first', 'second', 'inner'])
  })

  it('makes what is due now in advance(0), and nothing before', () => {
    const clock = new ManualClock()
    const calls: string[] = []
    clock.callLater(0, () => calls.push('now'))
    expect(calls).toEqual([])
    clock.advance(0)
    expect(calls).toEqual(['now'])
  })

  it('makes all calls that are due and then throws the first error', () => {
    const clock = new ManualClock()
    const calls: string[] = []
    const broken = (message: string) => () => {
      throw new Error(message)
    }
    clock.callLater(1, broken('one'))
    clock.callLater(2, broken('two'))
    clock.callLater(3, () => calls.push('three'))
    expect(() => clock.advance(10)).toThrow('one')
    expect(calls).toEqual(['three'])
    expect(clock.now()).toBe(10)
    expect(clock.pending()).toEqual([])
  })

  it('reports the failure of a call that is async, as a reactor does', async () => {
    const clock = new ManualClock()
    const error = new Error('later')
    const reports: Report[] = []
    const restore = setReporter((report) => reports.push(report))
    const call = clock.callLater(1, () => Promise.reject(error))
    clock.advance(1)
    await Promise.resolve()
    restore()
    expect(reports).toEqual([{ error, what: 'A delayed call failed', subject: call }])
  })

  it('explains that time stands still when a call sets itself again at once for ever', () => {
    const clock = new ManualClock()
    let count = 0
    const again = (): void => {
      count++
      clock.callLater(0, again)
    }
    clock.callLater(5, again)
    expect(() => clock.advance(10)).toThrow(/At 5 ms, calls set new ones at once .* 10000 times in a row/)
    expect(count).toBe(10_000)
    expect(clock.now()).toBe(5)
  })

  it('does not take many calls at one time, or at many times, for one that never ends', () => {
    const clock = new ManualClock()
    let count = 0
    for (let index = 0; index < 20_000; index++) clock.callLater(5, () => count++)
    clock.advance(5)
    const tick = (): void => {
      if (++count < 50_000) clock.callLater(1, tick)
    }
    clock.callLater(1, tick)
    clock.advance(40_000)
    expect(count).toBe(50_000)
  })

  it('lists the calls to come, the next one first, without those that were made or cancelled', () => {
    const clock = new ManualClock()
    const late = clock.callLater(20, () => {})
    const early = clock.callLater(10, () => {})
    const cancelled = clock.callLater(15, () => {})
    clock.callLater(1, () => {})
    clock.advance(1)
    cancelled.cancel()
    expect(clock.pending()).toEqual([early, late])
  })

  it('makes a call that was moved into the past at once, without going back in time', () => {
    const clock = new ManualClock()
    const seen: number[] = []
    const call = clock.callLater(10, () => seen.push(clock.now()))
    clock.advance(5)
    call.delay(-8)
    clock.advance(0)
    expect(seen).toEqual([5])
  })

  it('can be advanced by a call, and goes on from there', () => {
    const clock = new ManualClock()
    const seen: [string, number][] = []
    clock.callLater(1, () => {
      clock.advance(10)
      seen.push(['outer', clock.now()])
    })
    clock.callLater(3, () => seen.push(['inner', clock.now()]))
    clock.advance(5)
    expect(seen).toEqual([
      ['inner', 3],
      ['outer', 11],
    ])
    expect(clock.now()).toBe(11)
  })

  it.each([-1, NaN, Infinity])('refuses to advance by %s', (ms) => {
    const clock = new ManualClock()
    expect(() => clock.advance(ms)).toThrow(RangeError)
    expect(clock.now()).toBe(0)
  })
})
