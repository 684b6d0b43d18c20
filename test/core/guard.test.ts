/** The guard between the framework and other people's code. */
import { Deferred, Recorder, setTracer, Turn } from 'couplet'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { DelayedCall } from '../../src/framework/core/clock.ts'
import { guarded, runDelayedCall } from '../../src/framework/core/guard.ts'
import { TimerQueue } from '../../src/framework/core/timer-queue.ts'
import { reports } from '../reports.ts'

const turn = (): Turn => new Turn({ atEndOfTurn() {}, inNextTurn() {} })

/** Remembers which hooks failed, and how. */
class Owner {
  readonly failed: [error: unknown, what: string][] = []

  hookFailed(error: unknown, what: string): void {
    this.failed.push([error, what])
  }
}

describe('the guard', () => {
  it.each<[how: string, hook: (error: Error) => unknown]>([
    ['throws', (error) => raise(error)],
    ['returns a promise that is rejected', (error) => Promise.reject(error)],
    ['returns a Deferred that fails', (error) => failed(error)],
    ['returns a Deferred that fails later', (error) => Promise.resolve().then(() => failed(error))],
    // oxlint-disable-next-line unicorn/no-thenable -- other people's objects are like that
    ['returns a thenable that throws', (error) => ({ then: () => raise(error) })],
    // oxlint-disable-next-line unicorn/no-thenable -- other people's objects are like that
    ['returns a thenable that rejects', (error) => ({ then: (_: unknown, no: (e: Error) => void) => no(error) })],
  ])('tells the owner, once, of a hook that %s', async (_how, hook) => {
    const owner = new Owner()
    const errors = reports()
    const error = new Error('broken')
    guarded(turn(), {}, 'dataReceived', () => hook(error), owner)
    await macrotask()
    expect(owner.failed).toEqual([[error, 'dataReceived']])
    expect(errors).toEqual([])
  })

  const unfired = new Deferred<void>()
  afterAll(() => unfired.callback())

  it.each<[what: string, returned: unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a value', 42],
    ['an object', { than: 'then' }],
    ['a promise that is kept', Promise.resolve(1)],
    ['a Deferred that has not fired', unfired],
  ])('is content with a hook that returns %s', async (_what, returned) => {
    const owner = new Owner()
    guarded(turn(), {}, 'connectionMade', () => returned, owner)
    await macrotask()
    expect(owner.failed).toEqual([])
  })

  it('lets what a hook wrote leave even if it threw', () => {
    const own = turn()
    let flushed = 0
    const hook = (): never => {
      own.touch({ flush: () => void flushed++ })
      expect(flushed).toBe(0)
      throw new Error('after writing')
    }
    guarded(own, {}, 'dataReceived', hook, new Owner())
    expect(flushed).toBe(1)
  })

  it('opens and closes one span for each call, whatever happens in it', () => {
    const recorder = new Recorder({ now: () => 0 })
    onTestFinished(setTracer(recorder))
    const subject = {}
    recorder.mark(subject, 7)
    guarded(turn(), subject, 'connectionMade', () => raise(new Error('broken')), new Owner())
    const [begin, end] = recorder.events
    expect(recorder.events).toHaveLength(2)
    expect(begin).toMatchObject({ k: 'call', what: 'connectionMade', by: 7, on: recorder.id(subject) })
    expect(end).toMatchObject({ k: 'end', of: begin?.seq })
  })
})

describe('a delayed call', () => {
  it('that fails is reported, now or later, and ends nothing', async () => {
    const errors = reports()
    const queue = new TimerQueue({ now: () => 0, callLater: (): DelayedCall => raise(new Error('not asked')) })
    const error = new Error('broken')
    for (const hook of [() => raise(error), () => Promise.reject(error)]) {
      const call = queue.add(0, hook)
      expect(queue.take(0)).toBe(call)
      runDelayedCall(turn(), call)
      expect(call.active()).toBe(false)
    }
    await macrotask()
    expect(errors.map((report) => report.error)).toEqual([error, error])
    expect(errors[0]?.subject).toBeInstanceOf(DelayedCall)
  })
})

function raise(error: Error): never {
  throw error
}

function failed(error: Error): Deferred<never> {
  const deferred = new Deferred<never>()
  deferred.errback(error)
  return deferred
}

/** Everything that waits for a promise has gone on. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
