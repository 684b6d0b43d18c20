/** Cooperator: long work in small steps, taking turns. */
import {
  CancelledError,
  type CooperativeTask,
  Cooperator,
  Deferred,
  NotPaused,
  SchedulerStopped,
  TaskDone,
  TaskFailed,
  TaskFinished,
  TaskStopped,
} from 'couplet'
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { outcome } from '../scripted-reactor.ts'
import { LateClock } from './late-clock.ts'

let clock: LateClock
let cooperator: Cooperator
let steps: string[]
const reports = takeReports()
beforeEach(() => {
  clock = new LateClock()
  cooperator = new Cooperator(clock, { steps: 1 })
  steps = []
})

/** Makes so many steps, and says when it is ended. */
function* work(name: string, count: number): Generator<undefined, string> {
  try {
    for (let step = 1; step <= count; step++) {
      steps.push(`${name}${step}`)
      yield
    }
    return `${name} is done`
  } finally {
    steps.push(`${name} ends`)
  }
}

const forever = (name: string): Generator<undefined, string> => work(name, Infinity)

describe('Cooperator', () => {
  it('gives what the work returns', () => {
    const done = outcome(cooperator.coiterate(work('a', 2)))
    expect([done, steps]).toEqual([{}, []])
    clock.settle()
    expect([done, steps]).toEqual([{ value: 'a is done' }, ['a1', 'a2', 'a ends']])
  })

  it('lets all work take turns, step by step', () => {
    cooperator.cooperate(work('a', 2))
    cooperator.cooperate(work('b', 3))
    clock.settle()
    expect(steps).toEqual(['a1', 'b1', 'a2', 'b2', 'a ends', 'b3', 'b ends'])
  })

  it('lets work that comes in later join in', () => {
    const joins = function* (): Generator<undefined> {
      yield
      cooperator.cooperate(work('b', 1))
      yield
    }
    cooperator.cooperate(joins())
    cooperator.cooperate(work('a', 3))
    clock.settle()
    expect(steps).toEqual(['a1', 'a2', 'b1', 'a3', 'b ends', 'a ends'])
  })

  it.each([1, 3, 10])('makes %d steps in one turn, then lets others have theirs', (count) => {
    const cooperator = new Cooperator(clock, { steps: count })
    const task = cooperator.cooperate(forever('a'))
    const made = [1, 2, 3, 4].map(() => {
      clock.turn()
      return steps.length
    })
    task.stop()
    expect(made).toEqual([count, 2 * count, 3 * count, 4 * count])
  })

  it('takes anything that can be iterated', () => {
    const numbers = outcome(cooperator.coiterate([1, 2, 3]))
    clock.settle()
    expect(numbers).toEqual({ value: undefined })
    let left = 3
    const iterator: Iterator<undefined, string> = {
      next: () => (left-- > 0 ? { value: undefined } : { done: true, value: 'over' }),
    }
    const plain = outcome(cooperator.coiterate(iterator))
    clock.settle()
    expect(plain).toEqual({ value: 'over' })
  })

  it('has no call scheduled while there is nothing to do', () => {
    expect(clock.pending()).toEqual([])
    const task = cooperator.cooperate(forever('a'))
    expect(clock.pending().length).toBe(1)
    task.pause()
    expect(clock.pending()).toEqual([])
    task.resume()
    expect(clock.pending().length).toBe(1)
    task.stop()
    expect(clock.pending()).toEqual([])
    cooperator.coiterate(work('b', 5))
    clock.settle()
    expect(clock.pending()).toEqual([])
  })

  it('begins when it is told to', () => {
    const cooperator = new Cooperator(clock, { started: false })
    cooperator.cooperate(work('a', 1))
    clock.settle()
    expect([steps, cooperator.running, clock.pending()]).toEqual([[], false, []])
    cooperator.start()
    clock.settle()
    expect([steps, cooperator.running]).toEqual([['a1', 'a ends'], true])
  })

  it('ends all work when it is stopped, paused or not, and takes no more', () => {
    const tasks = [cooperator.cooperate(forever('a')), cooperator.cooperate(forever('b'))]
    const ends = tasks.map((task) => outcome(task.whenDone()))
    tasks[1]?.pause()
    cooperator.stop()
    ends.push(outcome(cooperator.coiterate(work('c', 1))))
    for (const { error } of ends) expect(error).toBeInstanceOf(SchedulerStopped)
    expect(() => tasks[0]?.pause()).toThrow(SchedulerStopped)
    clock.settle()
    expect([steps, clock.pending(), cooperator.running]).toEqual([[], [], false])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('can be stopped by a step, and started again', () => {
    const stops = function* (): Generator<undefined> {
      cooperator.stop()
      yield
      steps.push('never')
    }
    const stopped = outcome(cooperator.coiterate(stops()))
    const other = outcome(cooperator.coiterate(forever('a')))
    clock.settle()
    expect([stopped.error, other.error]).toEqual([expect.any(SchedulerStopped), expect.any(SchedulerStopped)])
    expect([steps, clock.pending()]).toEqual([[], []])
    cooperator.start()
    cooperator.cooperate(work('b', 1))
    clock.settle()
    expect(steps).toEqual(['b1', 'b ends'])
  })

  it.each([0, -1, 1.5, NaN, Infinity])('refuses %d steps a turn', (steps) => {
    expect(() => new Cooperator(clock, { steps })).toThrow(RangeError)
  })
})

describe('a task', () => {
  it('pauses as often as it is told to, and goes on after as many resumes', () => {
    const task = cooperator.cooperate(work('a', 3))
    clock.turn()
    task.pause()
    task.pause()
    task.resume()
    clock.settle()
    expect(steps).toEqual(['a1'])
    task.resume()
    clock.settle()
    expect(steps).toEqual(['a1', 'a2', 'a3', 'a ends'])
  })

  it('can pause itself in a step', () => {
    const pauses = function* (): Generator<undefined> {
      task.pause()
      yield
      steps.push('resumed')
    }
    const task: CooperativeTask = cooperator.cooperate(pauses())
    clock.settle()
    expect([steps, clock.pending()]).toEqual([[], []])
    task.resume()
    clock.settle()
    expect(steps).toEqual(['resumed'])
  })

  it('keeps its place among the others when it pauses and resumes itself in a step', () => {
    const pauses = function* (): Generator<undefined> {
      steps.push('a1')
      task.pause()
      task.resume()
      yield
      steps.push('a2')
    }
    const task: CooperativeTask = cooperator.cooperate(pauses())
    cooperator.cooperate(work('b', 1))
    clock.settle()
    expect(steps).toEqual(['a1', 'b1', 'a2', 'b ends'])
  })

  it('cannot be resumed more often than it was paused', () => {
    const task = cooperator.cooperate(forever('a'))
    expect(() => task.resume()).toThrow(NotPaused)
    task.pause()
    task.resume()
    expect(() => task.resume()).toThrow(NotPaused)
  })

  it('tells everybody who asks, each with a Deferred of their own', () => {
    const task = cooperator.cooperate(work('a', 1))
    const one = task.whenDone().addCallback(() => 'mine')
    const other = task.whenDone()
    expect(other).not.toBe(one)
    clock.settle()
    const late = task.whenDone()
    expect([one, other, late].map(outcome)).toEqual([{ value: 'mine' }, { value: 'a is done' }, { value: 'a is done' }])
  })

  it('does not mind that somebody no longer wants to know', () => {
    const task = cooperator.cooperate(work('a', 1))
    const [one, other] = [task.whenDone(), task.whenDone()]
    const ends = [outcome(one), outcome(other)]
    one.cancel()
    clock.settle()
    expect(ends[0]?.error).toBeInstanceOf(CancelledError)
    expect(ends[1]).toEqual({ value: 'a is done' })
  })

  it('fails with what a step throws', () => {
    const broken = new Error('no ink')
    const task = cooperator.cooperate(
      (function* () {
        yield
        throw broken
      })(),
    )
    const done = outcome(task.whenDone())
    clock.settle()
    expect([done, task.finished]).toEqual([{ error: broken }, true])
    expect(() => task.stop()).toThrow(TaskFailed)
    expect(() => task.pause()).toThrow(expect.objectContaining({ code: 'ERR_TASK_FAILED', cause: broken }))
    expect(outcome(task.whenDone())).toEqual({ error: broken })
  })

  it('is reported when it fails and nobody waits for it, and does not stop the others', () => {
    const broken = new Error('no ink')
    // oxlint-disable-next-line require-yield -- it fails before it comes to that
    const fails = function* (): Generator<undefined> {
      throw broken
    }
    cooperator.cooperate(fails())
    cooperator.cooperate(work('a', 1))
    clock.settle()
    reports.endTurn()
    expect([reports.errors, steps]).toEqual([[broken], ['a1', 'a ends']])
  })

  it('is not reported when somebody comes in time', () => {
    const broken = new Error('no ink')
    const task = cooperator.cooperate({
      next: (): IteratorResult<undefined> => {
        throw broken
      },
    })
    clock.settle()
    expect(outcome(task.whenDone())).toEqual({ error: broken })
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('that is stopped makes no more steps, ends its work, and says so', () => {
    const task = cooperator.cooperate(forever('a'))
    const done = outcome(task.whenDone())
    clock.turn()
    task.stop()
    expect(done.error).toBeInstanceOf(TaskStopped)
    expect(done.error).toBeInstanceOf(TaskFinished)
    clock.settle()
    expect(steps).toEqual(['a1', 'a ends'])
    expect(() => task.stop()).toThrow(TaskStopped)
    expect(() => task.pause()).toThrow(TaskStopped)
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('can stop itself in a step, and its work is ended then', () => {
    const stops = function* (): Generator<unknown, string> {
      try {
        task.stop()
        steps.push('last words')
        yield new Deferred<void>(() => steps.push('cancelled'))
        steps.push('never')
        return 'never'
      } finally {
        steps.push('ends')
      }
    }
    const task: CooperativeTask<string> = cooperator.cooperate(stops())
    const done = outcome(task.whenDone())
    clock.settle()
    expect(done.error).toBeInstanceOf(TaskStopped)
    expect([steps, clock.pending()]).toEqual([['last words', 'ends', 'cancelled'], []])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('reports it when its work fails while it is being ended', () => {
    const broken = new Error('no ink')
    const task = cooperator.cooperate(
      (function* () {
        try {
          for (;;) yield
        } finally {
          // oxlint-disable-next-line no-unsafe-finally -- which is what this test is about
          throw broken
        }
      })(),
    )
    clock.turn()
    task.stop()
    expect(reports.all).toEqual([expect.objectContaining({ error: broken, subject: task })])
  })

  it('that has done its work says so when it is to be stopped or paused', () => {
    const task = cooperator.cooperate(work('a', 0))
    clock.settle()
    expect(() => task.stop()).toThrow(TaskDone)
    expect(() => task.pause()).toThrow(TaskDone)
  })

  describe('that waits', () => {
    let awaited: Deferred<string>
    let reasons: unknown[]
    let task: CooperativeTask<string>
    beforeEach(() => {
      reasons = []
      awaited = new Deferred<string>((_, reason) => reasons.push(reason))
      const waits = function* (): Generator<unknown, string> {
        steps.push('asks')
        try {
          yield awaited
          steps.push('goes on')
          return 'answered'
        } finally {
          steps.push('ends')
        }
      }
      task = cooperator.cooperate(waits())
      clock.settle()
    })

    it('makes no step before it has the result', () => {
      expect([steps, clock.pending()]).toEqual([['asks'], []])
      awaited.callback('an answer')
      clock.settle()
      expect(outcome(task.whenDone())).toEqual({ value: 'answered' })
    })

    it('needs the result and all resumes', () => {
      task.pause()
      awaited.callback('an answer')
      clock.settle()
      expect(steps).toEqual(['asks'])
      task.resume()
      clock.settle()
      expect(steps).toEqual(['asks', 'goes on', 'ends'])
    })

    it('cannot be talked into going on without the result', () => {
      expect(() => task.resume()).toThrow(NotPaused)
      task.pause()
      task.resume()
      clock.settle()
      expect(steps).toEqual(['asks'])
    })

    it('fails when that fails', () => {
      const broken = new Error('no ink')
      const done = outcome(task.whenDone())
      awaited.errback(broken)
      clock.settle()
      expect([done, steps]).toEqual([{ error: broken }, ['asks', 'ends']])
    })

    it('gives that up when it is stopped', () => {
      const done = outcome(task.whenDone())
      task.stop()
      expect(done.error).toBeInstanceOf(TaskStopped)
      expect([reasons.length, steps]).toEqual([1, ['asks', 'ends']])
      reports.endTurn()
      expect(reports.all).toEqual([])
    })
  })

  it('waits for a promise, too, and for one that the work returns', async () => {
    const done = cooperator.coiterate(
      (function* () {
        yield Promise.resolve()
        steps.push('goes on')
        return Promise.resolve('answered')
      })(),
    )
    expectTypeOf(done).toEqualTypeOf<Deferred<string>>()
    for (let hop = 0; hop < 20; hop++) {
      clock.settle()
      await Promise.resolve()
    }
    expect([steps, outcome(done)]).toEqual([['goes on'], { value: 'answered' }])
  })

  it('does not fill the stack with results that are there already', () => {
    const fired = function* (): Generator<unknown, number> {
      let count = 0
      for (; count < 5000; count++) {
        const now = new Deferred<void>()
        now.callback()
        yield now
      }
      return count
    }
    const done = outcome(new Cooperator(clock, { steps: 100 }).coiterate(fired()))
    clock.settle()
    expect(done).toEqual({ value: 5000 })
  })

  it('is stopped when what coiterate gave is cancelled', () => {
    const done = cooperator.coiterate(forever('a'))
    const ended = outcome(done)
    clock.turn()
    done.cancel('enough')
    expect(ended.error).toMatchObject({ name: 'CancelledError', cause: 'enough' })
    expect([steps, clock.pending()]).toEqual([['a1', 'a ends'], []])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })
})
