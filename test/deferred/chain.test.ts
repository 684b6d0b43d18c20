/** The chain itself: order, rails, nesting. Ideas of DeferredTests in Twisted's test_defer. */
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { AlreadyCalledError } from '../../src/framework/deferred/errors.ts'
import { Failure } from '../../src/framework/deferred/failure.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

takeReports()

/** What a Deferred ended in, taken from its chain; `undefined` while it has no result. */
function outcomeOf(deferred: Deferred<unknown>): { value: unknown } | { error: unknown } | undefined {
  let outcome: { value: unknown } | { error: unknown } | undefined
  deferred.addCallbacks(
    (value) => {
      outcome = { value }
    },
    (failure) => {
      outcome = { error: failure.value }
    },
  )
  return outcome
}

describe('a Deferred runs its callbacks', () => {
  it('inside callback(), before it returns', () => {
    const seen: unknown[] = []
    const d = new Deferred<number>()
    d.addCallback((n) => seen.push(n))
    d.callback(42)
    expect(seen).toEqual([42])
  })

  it('inside addCallback(), when the result is there already', () => {
    const seen: unknown[] = []
    succeed(42).addCallback((n) => seen.push(n))
    expect(seen).toEqual([42])
  })

  it('in the order of adding, each with what the one before returned', () => {
    const seen: unknown[] = []
    const d = new Deferred<number>()
    d.addCallback((n) => {
      seen.push(n)
      return n + 1
    }).addCallback((n) => {
      seen.push(n)
      return String(n)
    })
    d.addCallback((s) => seen.push(s))
    d.callback(1)
    expect(seen).toEqual([1, 2, '2'])
  })

  it('one after the other when one adds another: it is appended, never nested', () => {
    const order: string[] = []
    const d = new Deferred<void>()
    d.addCallback(() => {
      order.push('1 begins')
      d.addCallback(() => order.push('3'))
      order.push('1 ends')
    })
    d.addCallback(() => order.push('2'))
    d.callback()
    expect(order).toEqual(['1 begins', '1 ends', '2', '3'])
  })

  it('100,000 of them, on the default stack', () => {
    const d = new Deferred<number>()
    for (let i = 0; i < 100_000; i++) d.addCallback((n) => n + 1)
    d.callback(0)
    expect(outcomeOf(d)).toEqual({ value: 100_000 })
  })
})

describe('a failure', () => {
  it('skips callbacks and reaches the first errback as a Failure with the real error', () => {
    const boom = new Error('boom')
    const d = new Deferred<number>()
    let skipped = true
    let got: unknown
    d.addCallback(() => (skipped = false)).addErrback((failure) => (got = failure))
    d.errback(boom)
    expect(skipped).toBe(true)
    expect(got).toBeInstanceOf(Failure)
    expect((got as Failure).value).toBe(boom)
  })

  it('is what a callback throws, and what a callback returns as a Failure', () => {
    const boom = new Error('boom')
    const thrown = succeed(1).addCallback(() => {
      throw boom
    })
    expect(outcomeOf(thrown)).toEqual({ error: boom })
    expect(outcomeOf(succeed(1).addCallback(() => new Failure(boom)))).toEqual({ error: boom })
  })

  it('that is thrown as a Failure is taken as it is, not wrapped', () => {
    const failure = new Failure('boom')
    let got: unknown
    succeed(1)
      .addCallback(() => {
        // oxlint-disable-next-line typescript/only-throw-error -- the point of the test
        throw failure
      })
      .addErrback((f) => (got = f))
    expect(got).toBe(failure)
  })

  it('may be anything, a string or undefined as well as an Error', () => {
    expect(outcomeOf(fail('boom'))).toEqual({ error: 'boom' })
    expect(outcomeOf(fail(undefined))).toEqual({ error: undefined })
  })

  it('ends in an errback that returns anything, even nothing', () => {
    expect(outcomeOf(fail('boom').addErrback(() => {}))).toEqual({ value: undefined })
    expect(outcomeOf(fail('boom').addErrback(() => 7))).toEqual({ value: 7 })
  })

  it('goes on when the errback returns or throws it', () => {
    expect(outcomeOf(fail('boom').addErrback((f) => f))).toEqual({ error: 'boom' })
    expect(
      outcomeOf(
        fail('boom').addErrback((f) => {
          throw f.value
        }),
      ),
    ).toEqual({ error: 'boom' })
  })

  it('of a callback never reaches its sibling errback, only the next one', () => {
    const seen: string[] = []
    succeed(1)
      .addCallbacks(
        () => {
          throw new Error('boom')
        },
        () => seen.push('sibling'),
      )
      .addErrback(() => seen.push('next'))
    expect(seen).toEqual(['next'])
  })

  it('given to callback() takes the error rail', () => {
    const d = new Deferred<number>()
    d.callback(new Failure('boom'))
    expect(outcomeOf(d)).toEqual({ error: 'boom' })
  })

  it('that is an Error given to callback() is an ordinary value', () => {
    const error = new Error('only talking about it')
    expect(outcomeOf(succeed(error))).toEqual({ value: error })
  })

  it('and a value both reach what addBoth adds', () => {
    const seen: unknown[] = []
    succeed(1).addBoth((result) => seen.push(result))
    fail('boom').addBoth((result) => seen.push(result instanceof Failure && result.value))
    expect(seen).toEqual([1, 'boom'])
  })
})

describe('a Deferred fires once', () => {
  it.each([
    ['callback', 'callback'],
    ['callback', 'errback'],
    ['errback', 'callback'],
    ['errback', 'errback'],
  ] as const)('%s, and %s after it throws AlreadyCalledError', (first, second) => {
    const d = new Deferred<string>()
    d[first]('once')
    expect(() => d[second]('twice')).toThrow(AlreadyCalledError)
    expect(d.called).toBe(true)
  })

  it('and firing it from its own chain is an error of that chain', () => {
    const d = new Deferred<number>()
    d.addCallback(() => d.callback(2))
    d.callback(1)
    expect(outcomeOf(d)).toEqual({ error: expect.any(AlreadyCalledError) })
  })

  it('with a value: a Deferred or a promise is refused with a TypeError, and it stays unfired', () => {
    const d = new Deferred<unknown>()
    expect(() => d.callback(succeed(1))).toThrow(TypeError)
    expect(() => d.callback(Promise.resolve(1))).toThrow(TypeError)
    expect(() => d.errback(succeed(1))).toThrow(TypeError)
    expect(() => succeed(succeed(1))).toThrow(TypeError)
    expect(d.called).toBe(false)
  })
})

describe('a callback that returns a Deferred', () => {
  it('makes the chain wait for it, and its value is the next one given', () => {
    const inner = new Deferred<string>()
    const outer = succeed(1).addCallback(() => inner)
    const seen: unknown[] = []
    outer.addCallback((v) => seen.push(v))
    expect(seen).toEqual([])
    inner.callback('poem')
    expect(seen).toEqual(['poem'])
  })

  it('that has fired already does not make it wait', () => {
    expect(outcomeOf(succeed(1).addCallback(() => succeed('poem')))).toEqual({ value: 'poem' })
    expect(outcomeOf(succeed(1).addCallback(() => fail('boom')))).toEqual({ error: 'boom' })
  })

  it('that fails makes the chain fail', () => {
    const inner = new Deferred<string>()
    const outer = succeed(1).addCallback(() => inner)
    inner.errback('boom')
    expect(outcomeOf(outer)).toEqual({ error: 'boom' })
  })

  it('takes the result away from it: it goes on with undefined', () => {
    const inner = succeed('poem')
    succeed(1).addCallback(() => inner)
    expect(outcomeOf(inner)).toEqual({ value: undefined })
    const later = new Deferred<string>()
    succeed(1).addCallback(() => later)
    later.callback('poem')
    expect(outcomeOf(later)).toEqual({ value: undefined })
  })

  it('runs what was on it before, then the outer chain, then what was added after', () => {
    const order: unknown[] = []
    const inner = new Deferred<string>()
    inner.addCallback((v) => {
      order.push(['inner, before', v])
      return v
    })
    const outer = succeed(1).addCallback(() => inner)
    outer.addCallback((v) => order.push(['outer', v]))
    inner.addCallback((v) => order.push(['inner, after', v]))
    inner.callback('a')
    expect(order).toEqual([
      ['inner, before', 'a'],
      ['outer', 'a'],
      ['inner, after', undefined],
    ])
  })

  it('that is paused waits for it to go on', () => {
    const inner = succeed('poem')
    inner.pause()
    const seen: unknown[] = []
    succeed(1)
      .addCallback(() => inner)
      .addCallback((v) => seen.push(v))
    expect(seen).toEqual([])
    inner.unpause()
    expect(seen).toEqual(['poem'])
  })

  it('whose result meets a paused outer chain still lets the inner chain go on', () => {
    const inner = new Deferred<string>()
    const outer = succeed(1).addCallback(() => inner)
    outer.pause()
    const seen: unknown[] = []
    inner.addCallback((v) => seen.push(['inner', v]))
    outer.addCallback((v) => seen.push(['outer', v]))
    inner.callback('poem')
    expect(seen).toEqual([['inner', undefined]])
    outer.unpause()
    expect(seen).toEqual([
      ['inner', undefined],
      ['outer', 'poem'],
    ])
  })

  it('in the middle of its own run waits for the end of that run', () => {
    const seen: unknown[] = []
    const inner = new Deferred<string>()
    inner.addCallback((v) => {
      succeed(1)
        .addCallback(() => inner)
        .addCallback((w) => seen.push(w))
      return `${v}!`
    })
    inner.callback('poem')
    expect(seen).toEqual(['poem!'])
  })

  it('20,000 deep, fired from the innermost, on the default stack', () => {
    const deep = Array.from({ length: 20_001 }, () => new Deferred<unknown>())
    for (const [i, d] of deep.entries()) if (i < 20_000) d.addCallback(() => deep[i + 1])
    for (const d of deep.slice(0, -1)) d.callback(undefined)
    deep.at(-1)?.callback('bottom')
    expect(outcomeOf(deep[0]!)).toEqual({ value: 'bottom' })
  })

  it('20,000 deep, each with callbacks of its own left, on the default stack', () => {
    const deep = Array.from({ length: 20_001 }, () => new Deferred<unknown>())
    let ran = 0
    for (const [i, d] of deep.entries()) if (i < 20_000) d.addCallback(() => deep[i + 1])
    for (const d of deep.slice(0, -1)) d.callback(undefined)
    for (const d of deep) d.addCallback((v) => (ran++, v))
    deep.at(-1)?.callback('bottom')
    expect(ran).toBe(20_001)
    expect(outcomeOf(deep[0]!)).toEqual({ value: 'bottom' })
  })

  it('20,000 deep, all of them fired already, on the default stack', () => {
    let d = succeed<unknown>('bottom')
    for (let i = 0; i < 20_000; i++) {
      const inner = d
      d = succeed<unknown>(i).addCallback(() => inner)
    }
    expect(outcomeOf(d)).toEqual({ value: 'bottom' })
  })

  it('cancelled 20,000 deep reaches the innermost, on the default stack', () => {
    let cancelled = 0
    const innermost = new Deferred<unknown>(() => cancelled++)
    let d: Deferred<unknown> = innermost
    for (let i = 0; i < 20_000; i++) {
      const inner = d
      d = succeed<unknown>(i).addCallback(() => inner)
    }
    d.cancel()
    expect(cancelled).toBe(1)
  })
})

describe('a chain that would wait for itself fails with a TypeError', () => {
  it('when a callback returns its own Deferred', () => {
    const d = new Deferred<unknown>()
    d.addCallback(() => d)
    d.callback(1)
    expect(outcomeOf(d)).toEqual({ error: expect.any(TypeError) })
  })

  it('when two return each other', () => {
    const one = new Deferred<unknown>()
    const two = new Deferred<unknown>()
    one.addCallback(() => two)
    two.addCallback(() => one)
    one.callback(1)
    two.callback(2)
    expect(outcomeOf(two)).toEqual({ value: undefined })
    expect(outcomeOf(one)).toEqual({ error: expect.any(TypeError) })
  })

  it('when the circle has three links', () => {
    const [a, b, c] = [new Deferred<unknown>(), new Deferred<unknown>(), new Deferred<unknown>()]
    a.addCallback(() => b)
    b.addCallback(() => c)
    c.addCallback(() => a)
    a.callback(1)
    b.callback(2)
    c.callback(3)
    expect(outcomeOf(a)).toEqual({ error: expect.any(TypeError) })
  })

  it('when it is returned to itself by a Deferred that waits for its present run', () => {
    const d = new Deferred<unknown>()
    const other = new Deferred<unknown>()
    other.addCallback(() => d)
    d.addCallback(() => {
      other.callback(1)
      return other
    })
    d.callback(1)
    expect(outcomeOf(other)).toEqual({ error: expect.any(TypeError) })
  })
})

describe('pause', () => {
  it('is counted: the chain goes on at the last unpause', () => {
    const seen: unknown[] = []
    const d = new Deferred<number>()
    d.addCallback((n) => seen.push(n))
    d.pause()
    d.pause()
    d.callback(1)
    d.unpause()
    expect(seen).toEqual([])
    d.unpause()
    expect(seen).toEqual([1])
  })

  it('from within a callback holds the next one', () => {
    const seen: string[] = []
    const d = new Deferred<void>()
    d.addCallback(() => {
      seen.push('first')
      d.pause()
    }).addCallback(() => seen.push('second'))
    d.callback()
    expect(seen).toEqual(['first'])
    d.unpause()
    expect(seen).toEqual(['first', 'second'])
  })

  it('before the firing and back again changes nothing', () => {
    const d = new Deferred<number>()
    d.pause()
    d.unpause()
    d.callback(1)
    expect(outcomeOf(d)).toEqual({ value: 1 })
  })

  it('cannot be taken back more often than it was given', () => {
    expect(() => new Deferred<void>().unpause()).toThrow('unpause() without a pause()')
  })
})

describe('chainDeferred', () => {
  it('hands the value to the other Deferred, and goes on with undefined', () => {
    const from = new Deferred<number>()
    const to = new Deferred<number>()
    const rest = from.chainDeferred(to)
    from.callback(7)
    expect(outcomeOf(to)).toEqual({ value: 7 })
    expect(outcomeOf(rest)).toEqual({ value: undefined })
  })

  it('hands the failure to the other Deferred', () => {
    const from = new Deferred<number>()
    const to = new Deferred<number>()
    from.chainDeferred(to)
    from.errback('boom')
    expect(outcomeOf(to)).toEqual({ error: 'boom' })
    expect(outcomeOf(from)).toEqual({ value: undefined })
  })

  it('does not carry a cancel back', () => {
    const from = new Deferred<number>()
    const to = new Deferred<number>()
    from.chainDeferred(to)
    to.cancel()
    expect(from.called).toBe(false)
  })
})
