/** Generators that wait for Deferreds. Ideas of Twisted's test_inlinecb, its CancellationTests above all. */
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError } from '../../src/framework/deferred/errors.ts'
import { inlineCallbacks } from '../../src/framework/deferred/inline-callbacks.ts'
import { fromPromise } from '../../src/framework/deferred/promises.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { FakeClock } from './fake-clock.ts'
import { takeReports } from './reports.ts'
import { resultOf } from './result-of.ts'

const reports = takeReports()
const boom = new Error('boom')

describe('a generator under inlineCallbacks', () => {
  it('starts now, and goes on inside the call that fires what it waits for', () => {
    const order: unknown[] = []
    const d = new Deferred<number>()
    const run = inlineCallbacks(function* (name: string) {
      order.push(`${name} begins`)
      order.push(yield* d)
      return 'end'
    })
    const outer = run('poem')
    order.push('waiting')
    d.callback(42)
    order.push('after')
    expect(order).toEqual(['poem begins', 'waiting', 42, 'after'])
    expect(resultOf(outer)).toBe('end')
  })

  it('gets the errors of what it waits for thrown, and may catch them', () => {
    const outer = inlineCallbacks(function* () {
      try {
        yield* fail(boom)
      } catch (error) {
        return error
      }
      return 'no error'
    })()
    expect(resultOf(outer)).toBe(boom)
  })

  it('fails with what it throws', () => {
    const outer = inlineCallbacks(function* () {
      yield* succeed(1)
      throw boom
    })()
    expect(resultOf(outer)).toBe(boom)
  })

  it('waits for the Deferred, or the promise, that it returns', async () => {
    const inner = new Deferred<string>()
    const outer = inlineCallbacks(function* () {
      yield* succeed(1)
      return inner
    })()
    inner.callback('poem')
    expect(resultOf(outer)).toBe('poem')
    const promised = inlineCallbacks(function* () {
      yield* succeed(1)
      return Promise.resolve('poem')
    })()
    expect(await promised).toBe('poem')
  })

  it('waits for promises that come in by fromPromise', async () => {
    const outer = inlineCallbacks(function* () {
      const n = yield* fromPromise(Promise.resolve(41))
      return n + 1
    })()
    expect(await outer).toBe(42)
  })

  it('leaves what it waited for its result', () => {
    const d = succeed(1)
    inlineCallbacks(function* () {
      yield* d
      yield* d
    })()
    expect(resultOf(d)).toBe(1)
  })

  it('keeps `this` and the arguments', () => {
    const poet = {
      name: 'Frost',
      greet: inlineCallbacks(function* (this: { name: string }, greeting: string) {
        yield* succeed(1)
        return `${greeting}, ${this.name}`
      }),
    }
    expect(resultOf(poet.greet('Hello'))).toBe('Hello, Frost')
  })

  it('gets a TypeError thrown for anything else that it yields', () => {
    const outer = inlineCallbacks(function* () {
      yield Promise.resolve(1) as never
    })()
    expect(resultOf(outer)).toMatchObject({ name: 'TypeError', message: /fromPromise/ })
  })

  it('has to be one', () => {
    const wrong = inlineCallbacks((() => 42) as never)
    expect(wrong).toThrow(TypeError)
  })

  it('gets a TypeError thrown when it waits for itself', () => {
    let outer: Deferred<unknown> | undefined
    const gate = new Deferred<void>()
    outer = inlineCallbacks(function* (): Generator<never, unknown, unknown> {
      yield* gate
      return yield* outer!
    })()
    gate.callback()
    expect(resultOf(outer)).toMatchObject({ name: 'TypeError' })
  })

  it('waits 20,000 times for what is there already, on the default stack', () => {
    const outer = inlineCallbacks(function* () {
      let sum = 0
      for (let i = 0; i < 20_000; i++) sum += yield* succeed(1)
      return sum
    })()
    expect(resultOf(outer)).toBe(20_000)
  })

  it('waits 20,000 times for what comes later, on the default stack', () => {
    let next = new Deferred<number>()
    const outer = inlineCallbacks(function* () {
      let sum = 0
      for (let i = 0; i < 20_000; i++) sum += yield* next
      return sum
    })()
    for (let i = 0; i < 20_000; i++) {
      const now = next
      next = new Deferred<number>()
      now.callback(1)
    }
    expect(resultOf(outer)).toBe(20_000)
  })
})

describe('20,000 generators that wait for each other', () => {
  const plusOne = inlineCallbacks(function* (before: Deferred<number>) {
    return (yield* before) + 1
  })
  function chain(first: Deferred<number>): Deferred<number> {
    let last = first
    for (let i = 0; i < 20_000; i++) last = plusOne(last)
    return last
  }

  it('end on the default stack, inside callback()', () => {
    const first = new Deferred<number>()
    const last = chain(first)
    let result: unknown
    last.addCallback((n) => (result = n))
    first.callback(0)
    expect(result).toBe(20_000)
  })

  it('fail on the default stack, and are cancelled on it', () => {
    const first = new Deferred<number>()
    const last = chain(first)
    first.errback(boom)
    expect(resultOf(last)).toBe(boom)
    const cancelled = chain(new Deferred<number>())
    cancelled.cancel()
    expect(resultOf(cancelled)).toBeInstanceOf(CancelledError)
  })
})

describe('generators that wait for the end of another one', () => {
  it('go on in the order in which they waited, before whoever ended it goes on', () => {
    const order: string[] = []
    const gate = new Deferred<void>()
    const inner = inlineCallbacks(function* () {
      yield* gate
      order.push('inner ends')
    })()
    const wait = inlineCallbacks(function* (name: string) {
      yield* inner
      order.push(`${name} goes on`)
    })
    wait('first')
    wait('second')
    const firing = inlineCallbacks(function* () {
      yield* succeed(1)
      gate.callback()
      order.push('gate is open')
    })
    firing()
    expect(order).toEqual(['inner ends', 'first goes on', 'second goes on', 'gate is open'])
  })
})

describe('an error in a generator', () => {
  it('keeps its stack, and says where the generators were, innermost first', () => {
    const d = new Deferred<number>()
    function* readLine(): Generator<never, number, unknown> {
      return yield* d
    }
    const download = inlineCallbacks(function* download() {
      return yield* readLine()
    })
    const collect = inlineCallbacks(function* collect() {
      return yield* download()
    })
    const outer = collect()
    const error = new Error('boom')
    const before = error.stack
    d.errback(error)
    expect(resultOf(outer)).toBe(error)
    expect(error.stack?.startsWith(`${before}\n`)).toBe(true)
    const added = error.stack?.slice(before?.length).match(/at async \w+ \(.*inline-callbacks\.test\.ts:\d+:\d+\)/g)
    expect(added?.map((line) => line.split(' ')[2])).toEqual(['readLine', 'download', 'collect'])
  })

  it('that is thrown in again and again does not grow its stack for ever', () => {
    const error = new Error('boom')
    const retry = inlineCallbacks(function* () {
      for (let i = 0; i < 1000; i++) {
        try {
          yield* fail(error)
        } catch {
          continue
        }
      }
    })
    expect(resultOf(retry())).toBe(undefined)
    expect(error.stack?.match(/at async/g)).toHaveLength(1)
  })

  it('may be frozen, or no Error at all', () => {
    const frozen = Object.freeze(new Error('boom'))
    const run = inlineCallbacks(function* (error: unknown) {
      yield* fail(error)
    })
    expect(resultOf(run(frozen))).toBe(frozen)
    expect(resultOf(run('text'))).toBe('text')
  })
})

describe('cancelling a generator', () => {
  it('cancels what it waits for, with the reason, and fails with that', () => {
    let cancelled: unknown
    const d = new Deferred<number>((_, reason) => (cancelled = reason))
    const outer = inlineCallbacks(function* () {
      yield* d
    })()
    outer.cancel('bored')
    expect(cancelled).toBe('bored')
    expect(resultOf(outer)).toMatchObject({ name: 'CancelledError', cause: 'bored' })
  })

  it('cascades through generators that wait for generators', () => {
    const log: string[] = []
    const d = new Deferred<number>(() => log.push('cancelled'))
    const inner = inlineCallbacks(function* () {
      try {
        yield* d
      } finally {
        log.push('inner cleans up')
      }
    })
    const outer = inlineCallbacks(function* () {
      try {
        yield* inner()
      } finally {
        log.push('outer cleans up')
      }
    })()
    outer.cancel()
    expect(log).toEqual(['cancelled', 'inner cleans up', 'outer cleans up'])
    expect(resultOf(outer)).toBeInstanceOf(CancelledError)
  })

  it('lets it catch the CancelledError, wait for something else, and return', () => {
    const goodbye = new Deferred<string>()
    const outer = inlineCallbacks(function* () {
      try {
        yield* new Deferred<never>()
      } catch {
        return yield* goodbye
      }
      return 'never'
    })()
    outer.cancel()
    expect(outer.called).toBe(false)
    goodbye.callback('goodbye')
    expect(resultOf(outer)).toBe('goodbye')
  })

  it('a second time cancels what it waits for then', () => {
    let cancelled = 0
    const outer = inlineCallbacks(function* () {
      try {
        yield* new Deferred<never>()
      } catch {
        yield* new Deferred<never>(() => cancelled++)
      }
    })()
    outer.cancel()
    expect(cancelled).toBe(0)
    outer.cancel()
    expect(cancelled).toBe(1)
    expect(resultOf(outer)).toBeInstanceOf(CancelledError)
  })

  it('lets it make another error of it, which is what the caller sees', () => {
    const outer = inlineCallbacks(function* () {
      try {
        yield* new Deferred<never>()
      } catch {
        throw boom
      }
    })()
    outer.cancel()
    expect(resultOf(outer)).toBe(boom)
  })

  it('that has returned a Deferred cancels that', () => {
    let cancelled = 0
    const outer = inlineCallbacks(function* () {
      yield* succeed(1)
      return new Deferred<number>(() => cancelled++)
    })()
    outer.cancel()
    expect(cancelled).toBe(1)
  })

  it('does nothing once it is done', () => {
    const outer = inlineCallbacks(function* () {
      return yield* succeed(1)
    })()
    outer.cancel()
    expect(resultOf(outer)).toBe(1)
  })

  it('from within itself fails at once, and what it waits for next is cancelled, once', () => {
    let cancelled = 0
    const log: string[] = []
    const gate = new Deferred<void>()
    const after = new Deferred<string>()
    const outer: Deferred<unknown> = inlineCallbacks(function* () {
      yield* gate
      outer.cancel('me')
      try {
        yield* new Deferred<never>(() => cancelled++)
      } catch (error) {
        log.push((error as Error).name)
      }
      log.push(yield* after)
    })()
    gate.callback()
    expect(resultOf(outer)).toMatchObject({ name: 'CancelledError', cause: 'me' })
    expect(cancelled).toBe(1)
    after.callback('goes on')
    expect(log).toEqual(['CancelledError', 'goes on'])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('from within itself, if it fails otherwise after that, reports the error: nobody else could', () => {
    const gate = new Deferred<void>()
    const outer: Deferred<unknown> = inlineCallbacks(function* () {
      yield* gate
      outer.cancel()
      throw boom
    })()
    gate.callback()
    expect(reports.all).toMatchObject([{ error: boom, what: 'A generator failed after it was cancelled' }])
  })

  it('by a timeout ends in TimeoutError', () => {
    const clock = new FakeClock()
    const outer = inlineCallbacks(function* () {
      yield* new Deferred<never>()
    })().addTimeout(10, clock)
    clock.advance(10)
    expect(resultOf(outer)).toMatchObject({ name: 'TimeoutError' })
  })

  it('that waits in a callback’s Deferred reaches the generator', () => {
    let cancelled = 0
    const run = inlineCallbacks(function* () {
      yield* new Deferred<never>(() => cancelled++)
    })
    const outer = succeed(1).addCallback(() => run())
    outer.cancel()
    expect(cancelled).toBe(1)
  })
})

describe('a generator that waits', () => {
  it('is shown with what it waits for', () => {
    const outer = inlineCallbacks(function* () {
      yield* new Deferred<never>()
    })()
    expect(String(outer)).toBe('Deferred { waiting for Deferred { pending, 1 callback } }')
  })

  it('takes a result that is fired over its head', () => {
    const d = new Deferred<number>()
    const outer: Deferred<unknown> = inlineCallbacks(function* () {
      yield* d
    })()
    outer.callback('from outside')
    d.callback(1)
    expect(resultOf(outer)).toBe('from outside')
  })
})
