/** Failure and the error classes. */
import { describe, expect, it } from 'vitest'
import { AlreadyCalledError, CancelledError, FirstError, TimeoutError } from '../../src/framework/deferred/errors.ts'
import { Failure } from '../../src/framework/deferred/failure.ts'
import { fail } from '../../src/framework/deferred/wrapping.ts'

describe('Failure', () => {
  it('checks for classes, subclasses included, and says which matched first', () => {
    const failure = new Failure(new RangeError('17'))
    expect(failure.check(TypeError, RangeError, Error)).toBe(RangeError)
    expect(failure.check(Error)).toBe(Error)
    expect(failure.check(TypeError)).toBeUndefined()
    expect(new Failure('text').check(Error)).toBeUndefined()
  })

  it('traps those classes, and throws the real error for others', () => {
    const error = new RangeError('17')
    const failure = new Failure(error)
    expect(failure.trap(TypeError, RangeError)).toBe(RangeError)
    expect(() => failure.trap(TypeError)).toThrow(error)
  })

  it('does not nest: a Failure of a Failure has the real error', () => {
    expect(new Failure(new Failure('boom')).value).toBe('boom')
  })

  it.each<[string, unknown]>([
    ['boom', new Error('boom')],
    ['boom', 'boom'],
    ['undefined', undefined],
    ['an error that has no message', Object.create(null)],
    [
      'an error that has no message',
      {
        toString() {
          throw new Error('no')
        },
      },
    ],
  ])('has the message %s', (message, value) => {
    expect(new Failure(value).getErrorMessage()).toBe(message)
  })

  it('says its error’s name in a line', () => {
    expect(String(new Failure(new TypeError('no poem')))).toBe('Failure: TypeError: no poem')
  })
})

describe('errors', () => {
  it.each([
    [new CancelledError(), 'CancelledError', 'ERR_CANCELLED'],
    [new TimeoutError(5), 'TimeoutError', 'ERR_TIMEOUT'],
    [new AlreadyCalledError(), 'AlreadyCalledError', 'ERR_ALREADY_CALLED'],
    [new FirstError(new Failure('boom'), 2), 'FirstError', 'ERR_FIRST_ERROR'],
  ])('%s has a name, a code, and a stack that begins with both name and message', (error, name, code) => {
    expect(error.name).toBe(name)
    expect(Object.keys(error)).toContain('code')
    expect(error.code).toBe(code)
    expect(error.stack?.split('\n')[0]).toBe(`${name}: ${error.message}`)
  })

  it('FirstError says which member, and what was wrong with it', () => {
    const cause = new Error('boom')
    const error = new FirstError(new Failure(cause), 2)
    expect(error.message).toBe('The member at index 2 failed: boom')
    expect(error.cause).toBe(cause)
  })

  it('with a cause that throws when it is read stop nothing', () => {
    const hostile = Object.defineProperty(new Error('boom'), 'cause', {
      get() {
        throw new Error('no')
      },
    })
    let seen: unknown
    fail(hostile).addErrback((failure) => (seen = failure.value))
    expect(seen).toBe(hostile)
  })
})
