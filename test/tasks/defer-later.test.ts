/** deferLater: a call that is made later, with its result as a Deferred. */
import { CancelledError, Deferred, deferLater } from 'couplet'
import { ManualClock } from 'couplet/testing'
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { outcome } from '../scripted-reactor.ts'

let clock: ManualClock
beforeEach(() => {
  clock = new ManualClock()
})

describe('deferLater', () => {
  it('fires with the result of the function, when the time has come', () => {
    const later = outcome(deferLater(clock, 100, () => clock.now()))
    clock.advance(99)
    expect(later).toEqual({})
    clock.advance(1)
    expect(later).toEqual({ value: 100 })
  })

  it('fires with nothing when there is nothing to call', () => {
    const later = outcome(deferLater(clock, 100))
    clock.advance(100)
    expect(later).toEqual({ value: undefined })
  })

  it('fails with what the function throws', () => {
    const broken = new Error('no ink')
    const later = outcome(
      deferLater(clock, 0, () => {
        throw broken
      }),
    )
    clock.advance(0)
    expect(later).toEqual({ error: broken })
  })

  it('waits for what the function returns', () => {
    const inner = new Deferred<string>()
    const later = outcome(deferLater(clock, 10, () => inner))
    clock.advance(10)
    expect(later).toEqual({})
    inner.callback('poem')
    expect(later).toEqual({ value: 'poem' })
  })

  it('leaves no timer behind when it is cancelled, and calls nothing', () => {
    let calls = 0
    const deferred = deferLater(clock, 10, () => calls++)
    const later = outcome(deferred)
    deferred.cancel()
    expect(clock.pending()).toEqual([])
    expect(later.error).toBeInstanceOf(CancelledError)
    clock.advance(10)
    expect(calls).toBe(0)
  })

  it('cancels what the function returned, once it has been called', () => {
    let cancelled = 0
    const deferred = deferLater(clock, 10, () => new Deferred<void>(() => cancelled++))
    const later = outcome(deferred)
    clock.advance(10)
    deferred.cancel()
    expect(cancelled).toBe(1)
    expect(later.error).toBeInstanceOf(CancelledError)
  })

  it('throws for a time that cannot pass', () => {
    expect(() => deferLater(clock, -1)).toThrow(RangeError)
    expect(() => deferLater(clock, NaN)).toThrow(RangeError)
  })

  it('is typed', () => {
    expectTypeOf(deferLater(clock, 1)).toEqualTypeOf<Deferred<void>>()
    expectTypeOf(deferLater(clock, 1, () => 'poem')).toEqualTypeOf<Deferred<string>>()
    expectTypeOf(deferLater(clock, 1, () => new Deferred<number>())).toEqualTypeOf<Deferred<number>>()
    expectTypeOf(deferLater(clock, 1, () => Promise.resolve(1))).toEqualTypeOf<Deferred<number>>()
  })
})
