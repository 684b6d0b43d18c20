/** succeed, fail, execute, maybeDeferred. */
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { Failure } from '../../src/framework/deferred/failure.ts'
import { execute, fail, maybeDeferred, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'
import { resultOf } from './result-of.ts'

takeReports()
const boom = new Error('boom')

describe.each([
  ['execute', execute],
  ['maybeDeferred', maybeDeferred],
] as const)('%s', (_, wrap) => {
  it('gives a Deferred with what the function returned, now', () => {
    expect(resultOf(wrap(() => 42))).toBe(42)
  })

  it('turns a throw into a failure, a returned Failure too', () => {
    expect(
      resultOf(
        wrap(() => {
          throw boom
        }),
      ),
    ).toBe(boom)
    expect(resultOf(wrap(() => new Failure(boom)))).toBe(boom)
  })

  it('goes the way of a Deferred that the function returned', () => {
    const inner = new Deferred<number>()
    const d = wrap(() => inner)
    inner.callback(1)
    expect(resultOf(d)).toBe(1)
  })

  it('goes the way of a promise that the function returned', async () => {
    expect(await wrap(async () => 1)).toBe(1)
    await expect(wrap(() => Promise.reject(boom)).toPromise()).rejects.toBe(boom)
  })

  it('cancels what the function returned', () => {
    let cancelled = 0
    const d = wrap(() => new Deferred<number>(() => cancelled++))
    d.cancel()
    expect(cancelled).toBe(1)
    expect(resultOf(d)).toMatchObject({ name: 'CancelledError' })
  })
})

describe('maybeDeferred and execute differ', () => {
  it('in what they return for a Deferred: that one itself, or a fresh one', () => {
    const inner = new Deferred<number>()
    expect(maybeDeferred(() => inner)).toBe(inner)
    expect(execute(() => inner)).not.toBe(inner)
  })
})

describe('succeed and fail', () => {
  it('have fired', () => {
    expect(resultOf(succeed('poem'))).toBe('poem')
    expect(resultOf(succeed())).toBe(undefined)
    expect(resultOf(fail(boom))).toBe(boom)
    expect(resultOf(fail(new Failure(boom)))).toBe(boom)
  })
})
