/** Failures that nobody takes: reported once, after the turn, to the one sink. */
import { describe, expect, it, vi } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError } from '../../src/framework/deferred/errors.ts'
import type { Failure } from '../../src/framework/deferred/failure.ts'
import { gatherResults } from '../../src/framework/deferred/gathering.ts'
import { inlineCallbacks } from '../../src/framework/deferred/inline-callbacks.ts'
import { report, setReporter } from '../../src/framework/deferred/reporter.ts'
import { flushUnhandled, setUnhandledScheduler } from '../../src/framework/deferred/unhandled.ts'
import { fail, logError, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

const reports = takeReports()
const boom = new Error('boom')

describe('a failure that nobody takes', () => {
  it('is reported once, at the end of the turn, with the real error', () => {
    const d = fail(boom)
    expect(reports.all).toEqual([])
    reports.endTurn()
    expect(reports.all).toEqual([{ error: boom, what: 'Unhandled failure in a Deferred', subject: d }])
    d.addCallback(() => 1)
    reports.endTurn()
    expect(reports.all).toHaveLength(1)
  })

  it('is reported when a callback threw it', () => {
    succeed(1).addCallback(() => {
      throw boom
    })
    reports.endTurn()
    expect(reports.errors).toEqual([boom])
  })

  it('is reported when an errback let it go on', () => {
    fail(boom).addErrback((failure) => failure)
    fail(boom).addErrback((failure) => failure.trap(TypeError))
    reports.endTurn()
    expect(reports.errors).toEqual([boom, boom])
  })

  it('is not reported when an errback is added before the turn ends', () => {
    const d = fail(boom)
    d.addErrback(() => {})
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('is reported by the outer Deferred alone, once one waits for it', () => {
    const inner = fail(boom)
    const outer = succeed(1).addCallback(() => inner)
    reports.endTurn()
    expect(reports.all.map((r) => r.subject)).toEqual([outer])
  })

  it('is not reported by a Deferred that hands it over with chainDeferred', () => {
    const other = new Deferred<never>()
    fail(boom).chainDeferred(other)
    other.addErrback(() => {})
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('is not reported while the Deferred is paused', () => {
    const d = new Deferred<number>()
    d.pause()
    d.errback(boom)
    reports.endTurn()
    expect(reports.all).toEqual([])
    d.unpause()
    reports.endTurn()
    expect(reports.errors).toEqual([boom])
  })

  it('is not reported when it is paused and an errback waits, though it was the last word before', () => {
    const d = fail(boom)
    d.pause()
    d.addErrback(() => {})
    reports.endTurn()
    expect(reports.all).toEqual([])
    d.unpause()
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('is reported in the next turn when a reporter made it', () => {
    const restore = setReporter((one) => {
      reports.all.push(one)
      if (one.error === boom) fail('made while reporting')
    })
    fail(boom)
    reports.endTurn()
    expect(reports.errors).toEqual([boom])
    reports.endTurn()
    expect(reports.errors).toEqual([boom, 'made while reporting'])
    restore()
  })
})

describe('looking at a failure counts as handling', () => {
  it.each<[string, (d: Deferred<unknown>) => unknown]>([
    ['then', (d) => d.then(undefined, () => {})],
    ['toPromise', (d) => d.toPromise().catch(() => {})],
    ['an observer with an error method', (d) => d['@@observable']().subscribe({ error() {} })],
    [
      'yield*',
      (d) =>
        inlineCallbacks(function* () {
          try {
            yield* d
          } catch {
            return 'caught'
          }
          return 'not caught'
        })(),
    ],
    ['logError', (d) => d.addErrback(logError)],
  ])('by %s, and the failure goes on unchanged', (_, look) => {
    const d = fail(boom)
    look(d)
    reports.all.length = 0
    reports.endTurn()
    expect(reports.all).toEqual([])
    let seen: unknown
    d.addErrback((failure: Failure) => (seen = failure.value))
    expect(seen).toBe(boom)
  })

  it('until an errback makes another failure of it', () => {
    const d = fail(boom)
    void d.then(undefined, () => {})
    d.addErrback(() => {
      throw new Error('another')
    })
    reports.endTurn()
    expect(reports.errors).toEqual([expect.objectContaining({ message: 'another' })])
  })

  it('even when an errback throws the same error on', () => {
    const d = fail(boom)
    void d.then(undefined, () => {})
    d.addErrback((failure) => failure.trap(TypeError))
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('but not by an observer that unsubscribed, or that has no error method', () => {
    const d = new Deferred<number>()
    d['@@observable']()
      .subscribe({ error() {} })
      .unsubscribe()
    d['@@observable']().subscribe({ next() {} })
    d.errback(boom)
    reports.endTurn()
    expect(reports.errors).toEqual([boom])
  })
})

describe('an explicit cancel()', () => {
  it('that nobody listens to is not reported', () => {
    new Deferred<number>().cancel()
    gatherResults([new Deferred<number>(), new Deferred<number>()]).cancel()
    succeed(1)
      .addCallback(() => new Deferred<number>())
      .cancel()
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('is not reported when an errback or a generator throws it on', () => {
    const d = new Deferred<number>()
    d.addErrback((failure) => {
      throw failure.value
    })
    d.cancel()
    const waiting = new Deferred<number>()
    const outer = inlineCallbacks(function* () {
      return yield* waiting
    })()
    outer.cancel()
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('is not reported when the canceller made an error of its own that a CancelledError caused', () => {
    new Deferred<number>((d) => d.errback(new Error('connecting', { cause: new CancelledError() }))).cancel()
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('that makes the canceller fail otherwise is reported', () => {
    new Deferred<number>((d) => d.errback(boom)).cancel()
    reports.endTurn()
    expect(reports.errors).toEqual([boom])
  })

  it('does not excuse a CancelledError that somebody made up', () => {
    fail(new CancelledError())
    reports.endTurn()
    expect(reports.errors).toEqual([expect.any(CancelledError)])
  })
})

describe('flushUnhandled', () => {
  it('returns what was not yet reported, which then is not', () => {
    const d = fail(boom)
    fail('looked at').addErrback(() => {})
    expect(flushUnhandled()).toEqual([{ error: boom, what: 'Unhandled failure in a Deferred', subject: d }])
    expect(flushUnhandled()).toEqual([])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })
})

describe('setUnhandledScheduler', () => {
  it('hands what is waiting to the new scheduler, and back', () => {
    fail(boom)
    const mine: (() => void)[] = []
    const restore = setUnhandledScheduler((due) => mine.push(due))
    reports.endTurn()
    expect(reports.all).toEqual([])
    for (const due of mine) due()
    expect(reports.errors).toEqual([boom])
    fail('again')
    restore()
    expect(mine).toHaveLength(2)
    mine[1]?.()
    expect(reports.errors).toEqual([boom])
    reports.endTurn()
    expect(reports.errors).toEqual([boom, 'again'])
  })

  it('by default waits for the turn and all its microtasks, so that a late await counts', async () => {
    vi.resetModules()
    const fresh = await import('../../src/framework/deferred/deferred.ts')
    const { setReporter: setFresh } = await import('../../src/framework/deferred/reporter.ts')
    const errors: unknown[] = []
    await new Promise<void>((resolve) => {
      setFresh(({ error }) => {
        errors.push(error)
        resolve()
      })
      const awaited = new fresh.Deferred<number>()
      awaited.errback(new Error('awaited some microtasks later'))
      void Promise.resolve()
        .then(() => {})
        .then(() => {})
        .then(() => awaited.then(undefined, () => {}))
      new fresh.Deferred<number>().errback(boom)
    })
    expect(errors).toEqual([boom])
  })
})

describe('the reporter', () => {
  it('is console.error unless one is set', () => {
    const spy = vi.spyOn(console, 'error').mockImplementation(() => {})
    const restore = setReporter(() => {})
    report({ error: boom, what: 'Nothing', subject: undefined })
    restore()
    expect(spy).not.toHaveBeenCalled()
    spy.mockRestore()
  })

  it('that throws stops nobody: both errors go to console.error', () => {
    const spy = vi.spyOn(console, 'error').mockImplementation(() => {})
    const broken = new Error('reporter broke')
    const restore = setReporter(() => {
      throw broken
    })
    report({ error: boom, what: 'A hook threw', subject: undefined, site: '    at here' })
    restore()
    expect(spy.mock.calls).toEqual([
      ['A hook threw:', boom, '\n  made\n    at here'],
      ['The reporter itself failed:', broken],
    ])
    spy.mockRestore()
  })

  it('put back by an inner caller is the one that was there before', () => {
    const seen: string[] = []
    const outer = setReporter(() => seen.push('outer'))
    const inner = setReporter(() => seen.push('inner'))
    report({ error: boom, what: 'x', subject: undefined })
    inner()
    report({ error: boom, what: 'x', subject: undefined })
    outer()
    expect(seen).toEqual(['inner', 'outer'])
    expect(reports.all).toEqual([])
  })

  it('gets what logError is given, which goes on', () => {
    const d = fail(boom).addErrback(logError)
    let seen: unknown
    d.addErrback((failure) => (seen = failure.value))
    expect(reports.errors).toEqual([boom])
    expect(seen).toBe(boom)
  })
})
