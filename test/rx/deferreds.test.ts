import { CancelledError, Deferred, Failure, flushUnhandled } from 'couplet'
import { fromDeferred, reactorScheduler, toDeferred } from 'couplet/rx'
import { assertNoResult, failureResultOf, ManualClock, successResultOf } from 'couplet/testing'
import { concatMap, EMPTY, EmptyError, from, map, NEVER, of, Subject, throwError, timeout } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { heard } from './heard.ts'
import { reportsOfEachTest } from '../reports.ts'

const reports = reportsOfEachTest()
afterEach(() => {
  expect(flushUnhandled()).toEqual([])
})

describe('a Deferred as an Observable', () => {
  it('gives the value and completes, inside the call that fires', () => {
    const deferred = new Deferred<number>()
    const { log } = heard(fromDeferred(deferred))
    expect(log).toEqual([])
    deferred.callback(7)
    expect(log).toEqual([7, 'complete'])
  })

  it('gives the error', () => {
    const deferred = new Deferred<number>()
    const { log } = heard(fromDeferred(deferred))
    const error = new Error('no poem')
    deferred.errback(error)
    expect(log).toEqual([error])
  })

  it('looks at the outcome and does not use it up', () => {
    const deferred = new Deferred<number>()
    heard(fromDeferred(deferred))
    const doubled = deferred.addCallback((value) => value * 2)
    deferred.callback(21)
    expect(successResultOf(doubled)).toBe(42)
  })

  it('gives late subscribers the outcome of its place in the chain, at once and as often as asked', () => {
    const deferred = new Deferred<number>()
    const observable = fromDeferred(deferred)
    deferred.callback(21)
    deferred.addCallback((value) => value * 2)
    expect(heard(observable).log).toEqual([21, 'complete'])
    expect(heard(observable).log).toEqual([21, 'complete'])
  })

  it('waits for what a callback before it waits for', () => {
    const inner = new Deferred<string>()
    const deferred = new Deferred<number>()
    const { log } = heard(fromDeferred(deferred.addCallback(() => inner)))
    deferred.callback(1)
    expect(log).toEqual([])
    inner.callback('late')
    expect(log).toEqual(['late', 'complete'])
  })

  it('delivers nothing to one that has unsubscribed, and cancels nothing unless asked', () => {
    const deferred = new Deferred<number>()
    const { log, unsubscribe } = heard(fromDeferred(deferred))
    unsubscribe()
    assertNoResult(deferred)
    deferred.callback(1)
    expect(log).toEqual([])
  })

  it('is cancelled, if asked, when the last subscriber leaves, and not before', () => {
    let cancelled = 0
    const deferred = new Deferred<number>(() => cancelled++)
    const observable = fromDeferred(deferred, { cancelOnUnsubscribe: true })
    const first = heard(observable)
    const second = heard(observable)
    first.unsubscribe()
    expect(cancelled).toBe(0)
    second.unsubscribe()
    expect(cancelled).toBe(1)
    failureResultOf(deferred).trap(CancelledError)
    expect([...first.log, ...second.log]).toEqual([])
  })

  it('is not cancelled by one that leaves after it has fired', () => {
    let cancelled = 0
    const deferred = new Deferred<number>(() => cancelled++)
    const { log, unsubscribe } = heard(fromDeferred(deferred, { cancelOnUnsubscribe: true }))
    deferred.callback(1)
    unsubscribe()
    expect([log, cancelled]).toEqual([[1, 'complete'], 0])
  })

  it('tells a subscriber of a cancelling that it did not ask for', () => {
    const deferred = new Deferred<number>()
    const { log } = heard(fromDeferred(deferred))
    deferred.cancel()
    expect(log).toEqual([expect.any(CancelledError)])
  })

  it('does not complete for a subscriber that leaves within next', () => {
    const deferred = new Deferred<number>()
    const log: unknown[] = []
    const subscription = fromDeferred(deferred).subscribe({
      next(value) {
        log.push(value)
        subscription.unsubscribe()
      },
      complete: () => log.push('complete'),
    })
    deferred.callback(1)
    expect(log).toEqual([1])
  })

  it('lets a subscriber that another one sends away hear nothing', () => {
    const deferred = new Deferred<number>()
    const observable = fromDeferred(deferred)
    const log: unknown[] = []
    observable.subscribe(() => other.unsubscribe())
    const other = observable.subscribe((value) => log.push(value))
    deferred.callback(1)
    expect(log).toEqual([])
  })

  it('leaves a failure unhandled while nobody has subscribed', () => {
    const deferred = new Deferred<number>()
    fromDeferred(deferred)
    deferred.errback(new Error('nobody looks'))
    expect(flushUnhandled()).toEqual([expect.objectContaining({ subject: deferred })])
  })

  it('reports what a subscriber throws once, and tells the others all the same', () => {
    const deferred = new Deferred<number>()
    const observable = fromDeferred(deferred)
    const error = new Error('a bug')
    observable.pipe(map((value) => value + 1)).subscribe(() => {
      throw error
    })
    const { log } = heard(observable)
    deferred.callback(1)
    expect(reports).toEqual([expect.objectContaining({ error })])
    expect(log).toEqual([1, 'complete'])
  })

  it('reports an error that a subscriber does not take once', () => {
    const deferred = new Deferred<number>()
    const error = new Error('no poem')
    fromDeferred(deferred).subscribe()
    deferred.errback(error)
    expect(reports).toEqual([expect.objectContaining({ error })])
  })
})

describe('an Observable as a Deferred', () => {
  it('fires synchronously where the Observable is synchronous', () => {
    expect(successResultOf(toDeferred(of('a', 'b', 'c')))).toBe('a')
    expect(successResultOf(toDeferred(of('a', 'b', 'c'), { take: 'last' }))).toBe('c')
    const error = new Error('no')
    expect(failureResultOf(toDeferred(throwError(() => error))).value).toBe(error)
  })

  it('unsubscribes when it has what it wants', () => {
    const source = new Subject<number>()
    const deferred = toDeferred(source)
    expect(source.observed).toBe(true)
    source.next(1)
    expect(source.observed).toBe(false)
    source.next(2)
    expect(successResultOf(deferred)).toBe(1)
  })

  it('waits for complete, if it wants the last value', () => {
    const source = new Subject<number>()
    const deferred = toDeferred(source, { take: 'last' })
    source.next(1)
    source.next(2)
    assertNoResult(deferred)
    source.complete()
    expect(successResultOf(deferred)).toBe(2)
  })

  it.each(['first', 'last'] as const)('fails when there is no %s value, unless it is told another', (take) => {
    failureResultOf(toDeferred(EMPTY, { take })).trap(EmptyError)
    expect(successResultOf(toDeferred(EMPTY, { take, defaultValue: 'none' }))).toBe('none')
    expect(successResultOf(toDeferred(EMPTY, { take, defaultValue: undefined }))).toBe(undefined)
    expect(successResultOf(toDeferred(of('one'), { take, defaultValue: 'none' }))).toBe('one')
  })

  it('fails with an error that comes after values, if it wants the last', () => {
    const source = new Subject<number>()
    const deferred = toDeferred(source, { take: 'last', defaultValue: 0 })
    source.next(1)
    const error = new Error('cut off')
    source.error(error)
    expect(failureResultOf(deferred).value).toBe(error)
  })

  it('unsubscribes when it is cancelled', () => {
    const source = new Subject<number>()
    const deferred = toDeferred(source)
    deferred.cancel()
    expect(source.observed).toBe(false)
    failureResultOf(deferred).trap(CancelledError)
  })

  it('waits for a value that is a Deferred itself', () => {
    const inner = new Deferred<number>()
    const deferred = toDeferred(of(inner))
    assertNoResult(deferred)
    inner.callback(5)
    expect(successResultOf(deferred)).toBe(5)
  })

  it('lets a callback feed the very source that fired it', () => {
    const source = new Subject<number>()
    const seen: number[] = []
    const deferred = toDeferred(source).addCallback((value) => {
      source.next(value + 1)
      return value
    })
    source.subscribe((value) => seen.push(value))
    source.next(1)
    expect([seen, successResultOf(deferred)]).toEqual([[2, 1], 1])
  })

  it('takes whatever RxJS takes', async () => {
    expect(successResultOf(toDeferred([1, 2, 3], { take: 'last' }))).toBe(3)
    expect(await toDeferred(Promise.resolve('late'))).toBe('late')
  })
})

describe('there and back', () => {
  it('changes neither value, nor error, nor the time', () => {
    const deferred = new Deferred<string>()
    const back = toDeferred(fromDeferred(deferred))
    deferred.callback('poem')
    expect(successResultOf(back)).toBe('poem')

    const failing = new Deferred<string>()
    const failed = toDeferred(fromDeferred(failing))
    const error = new Error('no poem')
    failing.errback(new Failure(error))
    expect(failureResultOf(failed).value).toBe(error)
    failing.addErrback(() => undefined)
  })

  it('carries a cancel all the way, where asked', () => {
    let cancelled = 0
    const deferred = new Deferred<string>(() => cancelled++)
    const back = toDeferred(fromDeferred(deferred, { cancelOnUnsubscribe: true }))
    back.cancel()
    expect(cancelled).toBe(1)
    failureResultOf(back).trap(CancelledError)
  })

  it('times out by either clockwork at the same moment', () => {
    const clock = new ManualClock()
    const scheduler = reactorScheduler(clock)
    const { log } = heard(fromDeferred(new Deferred<void>()).pipe(timeout({ each: 100, scheduler })))
    const timed = toDeferred(NEVER).addTimeout(100, clock)
    clock.advance(99)
    expect(log).toEqual([])
    assertNoResult(timed)
    clock.advance(1)
    expect(log).toEqual([expect.objectContaining({ name: 'TimeoutError' })])
    expect(failureResultOf(timed).value).toMatchObject({ name: 'TimeoutError' })
  })
})

describe('in marbles', () => {
  const marbles = () => new TestScheduler((actual, expected) => expect(actual).toEqual(expected))

  it('a Deferred is one value and the end, when it fires', () => {
    marbles().run(({ cold, expectObservable }) => {
      const deferred = toDeferred(cold('---a--b|'))
      expectObservable(fromDeferred(deferred)).toBe('---(a|)')
    })
  })

  it('the last value comes at the end', () => {
    marbles().run(({ cold, expectObservable }) => {
      expectObservable(fromDeferred(toDeferred(cold('-a--b--|'), { take: 'last' }))).toBe('-------(b|)')
    })
  })

  it('an error is an error', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('--#')
      expectObservable(fromDeferred(toDeferred(source))).toBe('--#')
      expectSubscriptions(source.subscriptions).toBe('^-!')
    })
  })

  it('concatMap asks one Deferred after another', () => {
    marbles().run(({ cold, expectObservable }) => {
      const answers = from(['x', 'y']).pipe(concatMap((letter) => fromDeferred(toDeferred(cold(`--${letter}|`)))))
      expectObservable(answers).toBe('--x-(y|)')
    })
  })

  it('leaving cancels, and cancelling leaves', () => {
    marbles().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-----a|')
      const observable = fromDeferred(toDeferred(source), { cancelOnUnsubscribe: true })
      expectObservable(observable, '^--!').toBe('----')
      expectSubscriptions(source.subscriptions).toBe('^--!')
    })
  })
})
