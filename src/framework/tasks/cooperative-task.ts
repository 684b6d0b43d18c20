/**
 * One piece of work that a Cooperator does step by step: it can be paused, resumed, stopped, and waited for.
 *
 * Ancestor: `twisted.internet.task.CooperativeTask`. `whenDone()` gives what the generator returned, where Twisted gives
 * the iterator; and a task that is stopped closes its generator, so that `finally` runs, and cancels what it waits for.
 */
import { Deferred, isPromiseLike } from '../deferred/deferred.ts'
import { Failure } from '../deferred/failure.ts'
import { report } from '../deferred/reporter.ts'
import { fail } from '../deferred/wrapping.ts'
import { NotPaused, SchedulerStopped, TaskDone, TaskFailed, type TaskFinished, TaskStopped } from './errors.ts'

/** Whoever makes the steps of a task. */
export interface Stepper {
  /** The task has become ready, or is ready no more. */
  changed(): void
}

/** How it ended: what to throw at whoever wants to go on with it, and its outcome. */
interface End<R> {
  readonly finished: () => TaskFinished
  readonly outcome: Awaited<R> | Failure
}

/** One piece of work, as {@link Cooperator.cooperate} gives it. */
export class CooperativeTask<R = unknown> {
  readonly #work: Iterator<unknown, R, undefined>
  readonly #stepper: Stepper
  #pauses = 0
  #stepping = false
  /** What a step yielded, or the work returned, and the task waits for. */
  #awaited: Deferred<unknown> | undefined
  #end: End<R> | undefined
  #watchers: Deferred<Awaited<R>>[] = []
  /** A failure that nobody waited for; it is reported, unless somebody comes in the same turn. */
  #unseen: Deferred<never> | undefined

  /** Made by `cooperate`. */
  constructor(work: Iterator<unknown, R, undefined>, stepper: Stepper) {
    this.#work = work
    this.#stepper = stepper
  }

  /** Can it make a step? */
  get ready(): boolean {
    return this.#end === undefined && this.#pauses === 0 && this.#awaited === undefined
  }

  /** Has it ended, in whatever way? */
  get finished(): boolean {
    return this.#end !== undefined
  }

  /**
   * Makes no more steps until {@link resume} was called as many times as this.
   *
   * @throws TaskDone, TaskFailed, TaskStopped or SchedulerStopped if it has finished
   */
  pause(): void {
    this.#mustBeUnfinished()
    this.#pauses++
    this.#stepper.changed()
  }

  /** Takes one {@link pause} back. @throws NotPaused without one */
  resume(): void {
    if (this.#pauses === 0) throw new NotPaused()
    this.#pauses--
    this.#stepper.changed()
  }

  /** Makes no more steps at all: {@link whenDone} fails with TaskStopped. Throws as {@link pause} does. */
  stop(): void {
    this.#mustBeUnfinished()
    this.#giveUp(() => new TaskStopped())
  }

  /**
   * Fires with what the work returned, or fails with what a step threw, with TaskStopped or with SchedulerStopped. A
   * fresh Deferred each time; cancelling it leaves the task alone.
   */
  whenDone(): Deferred<Awaited<R>> {
    const watcher: Deferred<Awaited<R>> = new Deferred<Awaited<R>>(() => {
      this.#watchers = this.#watchers.filter((other) => other !== watcher)
    })
    if (this.#end === undefined) this.#watchers.push(watcher)
    else watcher.callback(this.#end.outcome)
    this.#unseen?.addErrback(() => {})
    this.#unseen = undefined
    return watcher
  }

  /** Makes one step. For the Cooperator alone. */
  step(): void {
    this.#stepping = true
    let result: IteratorResult<unknown, R>
    try {
      result = this.#work.next()
    } catch (error) {
      this.#finish(() => new TaskFailed({ cause: error }), new Failure(error))
      return
    } finally {
      this.#stepping = false
    }
    if (this.#end !== undefined) {
      // It stopped itself, in the middle of its step.
      this.#close()
      if (result.value instanceof Deferred) result.value.cancel()
    } else if (isPromiseLike(result.value)) {
      this.#waitFor(result.value, result.done === true)
    } else if (result.done === true) {
      this.#finish(() => new TaskDone(), result.value as Awaited<R>)
    }
  }

  /** The Cooperator is stopped. For the Cooperator alone. */
  schedulerStopped(): void {
    if (this.#end === undefined) this.#giveUp(() => new SchedulerStopped())
  }

  #waitFor(value: PromiseLike<unknown>, last: boolean): void {
    const awaited = value instanceof Deferred ? value : Deferred.fromPromise(value)
    this.#awaited = awaited
    awaited.addCallbacks(
      (result) => {
        this.#awaited = undefined
        if (last) this.#finish(() => new TaskDone(), result as Awaited<R>)
        else this.#stepper.changed()
      },
      (failure) => {
        this.#awaited = undefined
        // After the end nobody waits for it; what a cancellation led to is not reported anyway.
        if (this.#end !== undefined) return failure
        this.#finish(() => new TaskFailed({ cause: failure.value }), failure)
        this.#close()
        return undefined
      },
    )
  }

  #giveUp(finished: () => TaskFinished): void {
    const awaited = this.#awaited
    this.#finish(finished, new Failure(finished()))
    awaited?.cancel()
    if (!this.#stepping) this.#close()
  }

  #finish(finished: () => TaskFinished, outcome: Awaited<R> | Failure): void {
    if (this.#end !== undefined) return
    this.#end = { finished, outcome }
    const watchers = this.#watchers
    this.#watchers = []
    this.#stepper.changed()
    const failed = outcome instanceof Failure && outcome.check(TaskStopped, SchedulerStopped) === undefined
    if (watchers.length === 0 && failed) this.#unseen = fail(outcome)
    for (const watcher of watchers) watcher.callback(outcome)
  }

  /** Lets the generator's `finally` run, as leaving a `for…of` early does. */
  #close(): void {
    try {
      this.#work.return?.()
    } catch (error) {
      report({ error, what: 'A task that was stopped failed to end its work', subject: this })
    }
  }

  #mustBeUnfinished(): void {
    if (this.#end !== undefined) throw this.#end.finished()
  }
}
