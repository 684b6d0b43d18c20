/** What a test asks a Deferred, and what it is told if the answer is another one. */
import { ConnectionDone, ConnectionLost, Deferred, type Failure, flushUnhandled as fromMain } from 'couplet'
import { assertNoResult, failureResultOf, flushUnhandled, successResultOf } from 'couplet/testing'
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest'

afterEach(() => {
  expect(flushUnhandled()).toEqual([])
})

const fired = <T>(value: T): Deferred<T> => {
  const deferred = new Deferred<T>()
  deferred.callback(value)
  return deferred
}

const failed = (error: Error): Deferred<string> => {
  const deferred = new Deferred<string>()
  deferred.errback(error)
  return deferred
}

const waiting = (): Deferred<string> => fired('outer').addCallback(() => new Deferred<string>())

describe('successResultOf', () => {
  it('gives the value, and leaves it where it is', () => {
    const deferred = fired('poem')
    expectTypeOf(successResultOf(deferred)).toEqualTypeOf<string>()
    expect(successResultOf(deferred)).toBe('poem')
    expect(successResultOf(deferred.addCallback((poem) => poem.length))).toBe(4)
  })

  it('says that the Deferred is pending, and leaves it usable', () => {
    const deferred = new Deferred<string>()
    expect(() => successResultOf(deferred)).toThrow('but there is no result yet: Deferred { pending }')
    deferred.callback('late')
    expect(successResultOf(deferred)).toBe('late')
  })

  it('says what the Deferred waits for', () => {
    expect(() => successResultOf(waiting())).toThrow('Deferred { waiting for Deferred { pending')
  })

  it('says what it failed with, with the error as cause, which is handled by that', () => {
    const error = new ConnectionLost('cable cut')
    const thrown = catching(() => successResultOf(failed(error)))
    expect(thrown.message).toBe('A success was expected: Deferred { failed: ConnectionLost: cable cut }')
    expect(thrown.cause).toBe(error)
  })
})

describe('failureResultOf', () => {
  it('gives the failure, which is handled by that', () => {
    const error = new ConnectionLost('cable cut')
    const deferred = failed(error)
    const failure: Failure = failureResultOf(deferred)
    expect(failure.value).toBe(error)
    expect(successResultOf(deferred)).toBe(undefined)
  })

  it('accepts the error classes that it is told, and their subclasses', () => {
    expect(failureResultOf(failed(new ConnectionLost()), ConnectionDone, Error).value).toBeInstanceOf(ConnectionLost)
  })

  it('says which errors were expected and which one came', () => {
    const error = new ConnectionLost('cable cut')
    const thrown = catching(() => failureResultOf(failed(error), ConnectionDone, TypeError))
    expect(thrown.message).toBe(
      'A failure with ConnectionDone or TypeError was expected: Deferred { failed: ConnectionLost: cable cut }',
    )
    expect(thrown.cause).toBe(error)
  })

  it('says that it succeeded, or has no result', () => {
    expect(() => failureResultOf(fired('poem'))).toThrow(
      'A failure was expected, but it succeeded: Deferred { "poem" }',
    )
    expect(() => failureResultOf(waiting(), TypeError)).toThrow(/with TypeError was expected, .* waiting for Deferred/)
  })
})

describe('assertNoResult', () => {
  it('accepts what is pending or waits, which can be used as before', () => {
    const deferred = new Deferred<string>()
    assertNoResult(deferred)
    assertNoResult(waiting())
    deferred.errback(new ConnectionLost())
    expect(failureResultOf(deferred, ConnectionLost).value).toBeInstanceOf(ConnectionLost)
  })

  it('says which result there is', () => {
    expect(() => assertNoResult(fired('poem'))).toThrow('No result was expected, but there is one: Deferred { "poem" }')
    const error = new ConnectionLost('cable cut')
    const thrown = catching(() => assertNoResult(failed(error)))
    expect(thrown.message).toContain('Deferred { failed: ConnectionLost: cable cut }')
    expect(thrown.cause).toBe(error)
  })
})

describe('flushUnhandled', () => {
  it('is the one of the main door, and takes what nobody has handled', () => {
    const error = new ConnectionLost()
    const deferred = failed(error)
    expect(flushUnhandled).toBe(fromMain)
    expect(flushUnhandled()).toEqual([{ error, what: 'Unhandled failure in a Deferred', subject: deferred }])
  })
})

function catching(f: () => unknown): Error {
  try {
    f()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}
