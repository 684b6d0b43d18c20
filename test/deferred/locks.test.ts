/** DeferredLock and DeferredSemaphore. Ideas of OtherPrimitivesTests in Twisted's test_defer. */
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError } from '../../src/framework/deferred/errors.ts'
import { inlineCallbacks } from '../../src/framework/deferred/inline-callbacks.ts'
import { DeferredLock, DeferredSemaphore } from '../../src/framework/deferred/locks.ts'
import { takeReports } from './reports.ts'

takeReports()

describe('a DeferredLock', () => {
  it('is granted at once when it is free, and fires with itself', () => {
    const lock = new DeferredLock()
    let got: unknown
    lock.acquire().addCallback((held) => (got = held))
    expect(got).toBe(lock)
    expect(lock.locked).toBe(true)
    lock.release()
    expect(lock.locked).toBe(false)
  })

  it('is handed on in the order of asking, inside release()', () => {
    const lock = new DeferredLock()
    const order: number[] = []
    for (const n of [1, 2, 3]) lock.acquire().addCallback(() => order.push(n))
    expect(order).toEqual([1])
    expect(lock.waiting).toBe(2)
    lock.release()
    expect(order).toEqual([1, 2])
    lock.release()
    expect(order).toEqual([1, 2, 3])
  })

  it('is not waited for any more by who cancelled', () => {
    const lock = new DeferredLock()
    const order: number[] = []
    lock.acquire()
    const waiting = lock.acquire()
    let error: unknown
    waiting.addErrback((failure) => (error = failure.value))
    lock.acquire().addCallback(() => order.push(3))
    waiting.cancel()
    expect(error).toBeInstanceOf(CancelledError)
    lock.release()
    expect(order).toEqual([3])
  })

  it('stays granted when cancelled too late', () => {
    const lock = new DeferredLock()
    lock.acquire().cancel()
    expect(lock.locked).toBe(true)
  })

  it('cannot be released by nobody', () => {
    expect(() => new DeferredLock().release()).toThrow('release() without an acquire()')
  })

  it('is released when a `using` block ends, by a throw too', () => {
    const lock = new DeferredLock()
    const inside: boolean[] = []
    const work = inlineCallbacks(function* () {
      using held = yield* lock.acquire()
      inside.push(held.locked)
      throw new Error('boom')
    })
    let message: unknown
    work().addErrback((failure) => (message = failure.getErrorMessage()))
    expect(inside).toEqual([true])
    expect(message).toBe('boom')
    expect(lock.locked).toBe(false)
  })
})

describe('run(f)', () => {
  it('gives the result of f, and releases after the Deferred that f returned', () => {
    const lock = new DeferredLock()
    const inner = new Deferred<string>()
    const results: unknown[] = []
    lock.run(() => inner).addCallback((value) => results.push(value))
    lock.run(() => 'second').addCallback((value) => results.push(value))
    expect(results).toEqual([])
    inner.callback('first')
    // The lock is free before the first caller hears of its result, so the second one is served inside.
    expect(results.toSorted()).toEqual(['first', 'second'])
    expect(lock.locked).toBe(false)
  })

  it.each<[string, () => unknown]>([
    [
      'a throw',
      () => {
        throw new Error('boom')
      },
    ],
    [
      'a failure',
      () => {
        const d = new Deferred<never>()
        d.errback('boom')
        return d
      },
    ],
  ])('releases after %s', (_, f) => {
    const lock = new DeferredLock()
    let message: unknown
    lock.run(f).addErrback((failure) => (message = failure.getErrorMessage()))
    expect(message).toBe('boom')
    expect(lock.locked).toBe(false)
  })

  it('releases when it is cancelled while f works', () => {
    const lock = new DeferredLock()
    let cancelled = 0
    const running = lock.run(() => new Deferred<never>(() => cancelled++))
    running.cancel()
    expect(cancelled).toBe(1)
    expect(lock.locked).toBe(false)
  })

  it('does not call f when it is cancelled in the line', () => {
    const lock = new DeferredLock()
    let called = false
    lock.acquire()
    lock.run(() => (called = true)).cancel()
    lock.release()
    expect(called).toBe(false)
    expect(lock.locked).toBe(false)
  })

  it('serves 20,000 who wait, on the default stack', () => {
    const lock = new DeferredLock()
    let ran = 0
    lock.acquire()
    for (let i = 0; i < 20_000; i++) lock.run(() => ran++)
    lock.release()
    expect(ran).toBe(20_000)
    expect(lock.locked).toBe(false)
  })
})

describe('a DeferredSemaphore', () => {
  it('lets so many in at once', () => {
    const semaphore = new DeferredSemaphore(2)
    let inside = 0
    let most = 0
    const work: Deferred<void>[] = []
    for (let i = 0; i < 5; i++) {
      semaphore.run(() => {
        most = Math.max(most, ++inside)
        const d = new Deferred<void>()
        work.push(d)
        return d.addCallback(() => void inside--)
      })
    }
    expect([inside, semaphore.tokens, semaphore.waiting]).toEqual([2, 0, 3])
    for (let d = work.shift(); d !== undefined; d = work.shift()) d.callback()
    expect([inside, most, semaphore.tokens]).toEqual([0, 2, 2])
  })

  it('cannot be released more often than acquired', () => {
    const semaphore = new DeferredSemaphore(2)
    semaphore.acquire()
    semaphore.release()
    expect(() => semaphore.release()).toThrow('release() without an acquire()')
  })

  it('grants a free token at once even to who asks while one is handed out', () => {
    const semaphore = new DeferredSemaphore(2)
    const seen: boolean[] = []
    semaphore.acquire()
    semaphore.acquire()
    semaphore.acquire().addCallback(() => {
      semaphore.release()
      seen.push(semaphore.acquire().called)
    })
    semaphore.release()
    expect(seen).toEqual([true])
  })

  it.each([0, -1, 1.5, NaN])('of %s tokens does not exist', (tokens) => {
    expect(() => new DeferredSemaphore(tokens)).toThrow(RangeError)
  })
})
