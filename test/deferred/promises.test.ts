/** Over to promises and back: then, await, toPromise, fromPromise, returned promises. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError } from '../../src/framework/deferred/errors.ts'
import { Failure } from '../../src/framework/deferred/failure.ts'
import { fromPromise } from '../../src/framework/deferred/promises.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

takeReports()
const boom = new Error('boom')

describe('await', () => {
  it('gives the value, and throws the real Error', async () => {
    expect(await succeed(42)).toBe(42)
    await expect(fail(boom).toPromise()).rejects.toBe(boom)
    let caught: unknown
    try {
      await fail(boom)
    } catch (error) {
      caught = error
    }
    expect(caught).toBe(boom)
  })

  it('looks only: a second one gets the same, and so does the next callback', async () => {
    const d = succeed(42)
    expect([await d, await d]).toEqual([42, 42])
    const seen: number[] = []
    d.addCallback((n) => seen.push(n))
    expect(seen).toEqual([42])
  })

  it('sees the chain as far as it was added before', async () => {
    const d = new Deferred<number>()
    const doubled = d.addCallback((n) => n * 2)
    const awaited = doubled.then((n) => n)
    doubled.addCallback((n) => n * 100)
    d.callback(21)
    expect(await awaited).toBe(42)
    expect(await doubled).toBe(4200)
  })

  it('goes on in a microtask, and then() itself calls nothing', async () => {
    const order: string[] = []
    const promise = succeed(1).then(() => order.push('then'))
    order.push('after')
    await promise
    expect(order).toEqual(['after', 'then'])
    expect(promise).toBeInstanceOf(Promise)
  })

  it('of an async function that returns a Deferred gives its outcome', async () => {
    const value = await (async () => succeed('poem'))()
    expect(value).toBe('poem')
  })
})

describe('toPromise', () => {
  it('cancels the Deferred when the signal is aborted', async () => {
    const controller = new AbortController()
    let cancelled = 0
    const promise = new Deferred<number>(() => cancelled++).toPromise(controller.signal)
    controller.abort('bored')
    await expect(promise).rejects.toMatchObject({ name: 'CancelledError', cause: 'bored' })
    expect(cancelled).toBe(1)
  })

  it('gives the signal its listener back when the result is there', async () => {
    const controller = new AbortController()
    const d = new Deferred<number>()
    const promise = d.toPromise(controller.signal)
    d.callback(1)
    expect(await promise).toBe(1)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })
})

describe('fromPromise', () => {
  it('fires with the outcome', async () => {
    expect(await Deferred.fromPromise(Promise.resolve(1))).toBe(1)
    await expect(fromPromise(Promise.reject(boom)).toPromise()).rejects.toBe(boom)
  })

  it('unpacks a rejection with a Failure, and tames a thenable that settles twice', async () => {
    await expect(fromPromise(Promise.reject(new Failure(boom))).toPromise()).rejects.toBe(boom)
    const unruly = {
      // oxlint-disable-next-line unicorn/no-thenable -- the point of the test
      then(resolve: (value: number) => void, reject: (error: unknown) => void) {
        resolve(1)
        reject(boom)
        resolve(2)
      },
    } as PromiseLike<number>
    expect(await fromPromise(unruly)).toBe(1)
  })

  it('cancelled drops the outcome that comes late, either way', async () => {
    for (const late of [Promise.resolve(1), Promise.reject(boom)]) {
      const d = fromPromise<number>(late)
      d.cancel()
      await expect(d.toPromise()).rejects.toBeInstanceOf(CancelledError)
      await late.catch(() => {})
    }
  })

  it('aborts the signal of a function when cancelled, with the reason', async () => {
    let signal: AbortSignal | undefined
    const d = fromPromise(
      (s) =>
        new Promise<number>((_, reject) => {
          signal = s
          s.addEventListener('abort', () => reject(s.reason))
        }),
    )
    d.cancel('bored')
    expect(signal?.aborted).toBe(true)
    expect(signal?.reason).toBe('bored')
    await expect(d.toPromise()).rejects.toMatchObject({ name: 'CancelledError', cause: 'bored' })
  })

  it('fails with what the function throws', async () => {
    const d = fromPromise(() => {
      throw boom
    })
    await expect(d.toPromise()).rejects.toBe(boom)
  })
})

describe('a callback that returns a promise', () => {
  it('makes the chain wait for it', async () => {
    const d = succeed(1).addCallback((n) => Promise.resolve(n + 1))
    expect(String(d)).toBe('Deferred { waiting for Deferred { pending, 1 callback } }')
    expect(await d).toBe(2)
  })

  it('that rejects makes the chain fail with the real error', async () => {
    await expect(
      succeed(1)
        .addCallback(() => Promise.reject(boom))
        .toPromise(),
    ).rejects.toBe(boom)
  })

  it('from an errback recovers', async () => {
    expect(await fail(boom).addErrback(async () => 'default poem')).toBe('default poem')
  })

  it('with a `then` that throws when it is read fails', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- the point of the test
    const trap = Object.defineProperty({}, 'then', {
      get() {
        throw boom
      },
    })
    await expect(
      succeed(1)
        .addCallback(() => trap)
        .toPromise(),
    ).rejects.toBe(boom)
  })
})
