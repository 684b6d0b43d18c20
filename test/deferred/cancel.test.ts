/** Giving up: cancel, cancellers, abort signals. Ideas of DeferredCancellerTests in Twisted's test_defer. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { AlreadyCalledError, CancelledError } from '../../src/framework/deferred/errors.ts'
import type { Failure } from '../../src/framework/deferred/failure.ts'
import { deferredFromSignal } from '../../src/framework/deferred/promises.ts'
import { succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

const reports = takeReports()

function errorOf(deferred: Deferred<unknown>): unknown {
  let error: unknown
  deferred.addErrback((failure: Failure) => {
    error = failure.value
  })
  return error
}

describe('cancel() without a canceller', () => {
  it('fails with CancelledError, now', () => {
    const d = new Deferred<number>()
    d.cancel()
    expect(errorOf(d)).toBeInstanceOf(CancelledError)
  })

  it.each(['callback', 'errback'] as const)('swallows one %s that comes late, and no second one', (fire) => {
    const d = new Deferred<string>()
    d.cancel()
    d[fire]('late')
    expect(() => d[fire]('later still')).toThrow(AlreadyCalledError)
    expect(errorOf(d)).toBeInstanceOf(CancelledError)
  })

  it('gives the reason as the cause', () => {
    const d = new Deferred<number>()
    d.cancel('bored')
    expect(errorOf(d)).toMatchObject({ name: 'CancelledError', code: 'ERR_CANCELLED', cause: 'bored' })
  })

  it('gives no cause without a reason', () => {
    const d = new Deferred<number>()
    d.cancel()
    expect(errorOf(d)).not.toHaveProperty('cause')
  })

  it('twice is the same as once', () => {
    const d = new Deferred<number>()
    d.cancel()
    d.cancel()
    d.callback(1)
    expect(() => d.callback(2)).toThrow(AlreadyCalledError)
  })
})

describe('cancel() with a canceller', () => {
  it('calls it once, with the Deferred and the reason, and CancelledError follows', () => {
    const calls: unknown[][] = []
    const d = new Deferred<number>((...args) => calls.push(args))
    d.cancel('bored')
    d.cancel('again')
    expect(calls).toEqual([[d, 'bored']])
    expect(errorOf(d)).toBeInstanceOf(CancelledError)
  })

  it('swallows nothing: a late callback throws AlreadyCalledError', () => {
    const d = new Deferred<number>(() => {})
    d.cancel()
    expect(() => d.callback(1)).toThrow(AlreadyCalledError)
  })

  it('lets the canceller decide: its value or its own error wins', () => {
    const values: unknown[] = []
    const kept = new Deferred<string>((d) => d.callback('half a poem'))
    kept.addCallback((v) => values.push(v))
    kept.cancel()
    expect(values).toEqual(['half a poem'])
    const own = new Error('hung up')
    const failed = new Deferred<string>((d) => d.errback(own))
    failed.cancel()
    expect(errorOf(failed)).toBe(own)
  })

  it('reports what the canceller throws, and CancelledError arrives all the same', () => {
    const boom = new Error('boom')
    const d = new Deferred<number>(() => {
      throw boom
    })
    d.cancel()
    expect(errorOf(d)).toBeInstanceOf(CancelledError)
    expect(reports.all).toEqual([{ error: boom, what: 'A canceller threw', subject: d }])
  })

  it('survives a canceller that cancels again', () => {
    let calls = 0
    const d = new Deferred<number>((self) => {
      calls++
      self.cancel()
    })
    d.cancel()
    expect(calls).toBe(1)
    expect(errorOf(d)).toBeInstanceOf(CancelledError)
  })
})

describe('cancel() after the firing', () => {
  it('does nothing when there is a result, paused or not', () => {
    let cancelled = 0
    const d = new Deferred<number>(() => cancelled++)
    d.pause()
    d.callback(1)
    d.cancel()
    d.unpause()
    d.cancel()
    const values: number[] = []
    d.addCallback((n) => values.push(n))
    expect(values).toEqual([1])
    expect(cancelled).toBe(0)
  })

  it('does nothing from within its own callback', () => {
    const d = new Deferred<number>()
    const values: number[] = []
    d.addCallback((n) => {
      d.cancel()
      return n
    }).addCallback((n) => values.push(n))
    d.callback(1)
    expect(values).toEqual([1])
  })

  it('goes to the Deferred that the chain waits for', () => {
    let cancelled = 0
    const inner = new Deferred<number>(() => cancelled++)
    const outer = succeed(1).addCallback(() => inner)
    outer.cancel()
    expect(cancelled).toBe(1)
    expect(errorOf(outer)).toBeInstanceOf(CancelledError)
  })

  it('goes through a promise that the chain waits for: its outcome is dropped', async () => {
    let resolve: (value: number) => void = () => {}
    const promise = new Promise<number>((r) => (resolve = r))
    const outer = succeed(1).addCallback(() => promise)
    outer.cancel()
    expect(errorOf(outer)).toBeInstanceOf(CancelledError)
    resolve(2)
    await promise
  })
})

describe('an abort signal', () => {
  it('cancels, with its reason as the cause', () => {
    const controller = new AbortController()
    const d = new Deferred<number>().addSignal(controller.signal)
    controller.abort('bored')
    expect(errorOf(d)).toMatchObject({ name: 'CancelledError', cause: 'bored' })
  })

  it('that is aborted already cancels at once', () => {
    const d = new Deferred<number>().addSignal(AbortSignal.abort('bored'))
    expect(errorOf(d)).toMatchObject({ name: 'CancelledError', cause: 'bored' })
  })

  it('keeps no listener when the result is there, nor after an abort', () => {
    const controller = new AbortController()
    const d = new Deferred<number>()
    d.addSignal(controller.signal)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    d.callback(1)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    const other = new Deferred<number>()
    other.addSignal(controller.signal)
    controller.abort()
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    expect(errorOf(other)).toBeInstanceOf(CancelledError)
  })

  it('becomes a Deferred that fails at the abort, and gives its listener back when cancelled', () => {
    const controller = new AbortController()
    const aborted = deferredFromSignal(controller.signal)
    const unneeded = deferredFromSignal(controller.signal)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(2)
    unneeded.cancel()
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    controller.abort('bored')
    expect(errorOf(aborted)).toMatchObject({ name: 'CancelledError', cause: 'bored' })
  })
})
