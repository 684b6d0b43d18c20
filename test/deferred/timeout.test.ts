/** addTimeout on a given clock. Ideas of DeferredAddTimeoutTests in Twisted's test_defer. */
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError, TimeoutError } from '../../src/framework/deferred/errors.ts'
import { Failure } from '../../src/framework/deferred/failure.ts'
import { gatherResults } from '../../src/framework/deferred/gathering.ts'
import { succeed } from '../../src/framework/deferred/wrapping.ts'
import { FakeClock } from './fake-clock.ts'
import { takeReports } from './reports.ts'
import { resultOf } from './result-of.ts'

const reports = takeReports()

describe('addTimeout', () => {
  it('fails with TimeoutError when time is over, which says how long, and why', () => {
    const clock = new FakeClock()
    const d = new Deferred<number>().addTimeout(1000, clock)
    clock.advance(999)
    expect(d.called).toBe(false)
    clock.advance(1)
    const error = resultOf(d)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ message: 'No result within 1000 ms', ms: 1000, code: 'ERR_TIMEOUT' })
    expect((error as TimeoutError).cause).toBeInstanceOf(CancelledError)
  })

  it('takes its call from the clock when the result comes in time', () => {
    const clock = new FakeClock()
    const d = new Deferred<number>()
    const timed = d.addTimeout(1000, clock)
    d.callback(1)
    expect(clock.pending).toBe(0)
    expect(resultOf(timed)).toBe(1)
  })

  it('takes its call from the clock when a failure comes in time', () => {
    const clock = new FakeClock()
    const d = new Deferred<number>()
    const timed = d.addTimeout(1000, clock)
    d.errback('boom')
    expect(clock.pending).toBe(0)
    expect(resultOf(timed)).toBe('boom')
  })

  it('leaves an explicit cancel() a CancelledError', () => {
    const clock = new FakeClock()
    const d = new Deferred<number>().addTimeout(1000, clock)
    d.cancel()
    expect(resultOf(d)).toBeInstanceOf(CancelledError)
    expect(clock.pending).toBe(0)
  })

  it("keeps the canceller's value, and its other errors", () => {
    const clock = new FakeClock()
    const saved = new Deferred<string>((d) => d.callback('half a poem')).addTimeout(10, clock)
    const own = new Error('hung up')
    const failed = new Deferred<string>((d) => d.errback(own)).addTimeout(10, clock)
    clock.advance(10)
    expect(resultOf(saved)).toBe('half a poem')
    expect(resultOf(failed)).toBe(own)
  })

  it('translates an error that a CancelledError caused, too', () => {
    const clock = new FakeClock()
    const wrapped = new Error('connecting was cancelled', { cause: new CancelledError() })
    const d = new Deferred<string>((self) => self.errback(wrapped)).addTimeout(10, clock)
    clock.advance(10)
    expect(resultOf(d)).toMatchObject({ name: 'TimeoutError', cause: wrapped })
  })

  it('translates what a gathering makes of it', () => {
    const clock = new FakeClock()
    const d = gatherResults([new Deferred<number>(), new Deferred<number>()]).addTimeout(10, clock)
    clock.advance(10)
    expect(resultOf(d)).toBeInstanceOf(TimeoutError)
  })

  it('covers the Deferreds that earlier callbacks wait for, and nothing after itself', () => {
    const clock = new FakeClock()
    const inner = new Deferred<number>()
    const covered = succeed(1)
      .addCallback(() => inner)
      .addTimeout(10, clock)
    const after = succeed(1)
      .addTimeout(10, clock)
      .addCallback(() => new Deferred<number>())
    clock.advance(10)
    expect(resultOf(covered)).toBeInstanceOf(TimeoutError)
    expect(resultOf(after)).toBe('pending')
    expect(clock.pending).toBe(0)
  })

  it('lets an errback before it swallow the cancelling', () => {
    const clock = new FakeClock()
    const d = new Deferred<string>().addErrback(() => 'recovered').addTimeout(10, clock)
    clock.advance(10)
    expect(resultOf(d)).toBe('recovered')
  })

  it('swallows the real result when that comes late', () => {
    const clock = new FakeClock()
    const d = new Deferred<number>()
    const timed = d.addTimeout(10, clock)
    clock.advance(10)
    d.callback(1)
    expect(resultOf(timed)).toBeInstanceOf(TimeoutError)
  })

  it('may be given twice; the shorter one wins and says so', () => {
    const clock = new FakeClock()
    const d = new Deferred<number>().addTimeout(20, clock).addTimeout(10, clock)
    clock.advance(20)
    expect(resultOf(d)).toMatchObject({ ms: 10 })
    expect(clock.pending).toBe(0)
  })

  it('calls onTimeoutCancel in place of its own translation, and only when time is over', () => {
    const clock = new FakeClock()
    const calls: unknown[] = []
    const late = new Deferred<number>().addTimeout(10, clock, (result, ms) => {
      calls.push([result instanceof Failure, ms])
      return 'default poem'
    })
    const d = new Deferred<number>()
    const early = d.addTimeout(10, clock, () => calls.push('never'))
    d.callback(1)
    clock.advance(10)
    expect(resultOf(late)).toBe('default poem')
    expect(resultOf(early)).toBe(1)
    expect(calls).toEqual([[true, 10]])
  })

  it('that nobody listens to is reported: it is nobody’s wish, unlike a cancel()', () => {
    const clock = new FakeClock()
    new Deferred<number>().addTimeout(10, clock)
    gatherResults([new Deferred<number>()]).addTimeout(10, clock)
    clock.advance(10)
    reports.endTurn()
    expect(reports.errors).toEqual([expect.any(TimeoutError), expect.any(TimeoutError)])
  })
})
