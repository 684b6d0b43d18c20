/**
 * Shares the time among long pieces of work, each written as an iterator: a few steps of one, a few of the next, and
 * between turns everything else has its chance.
 *
 * Ancestor: `twisted.internet.task.Cooperator`. A turn is so many steps, not so many milliseconds: the same on a slow
 * machine, on a busy one and in virtual time.
 */
import type { Clock, DelayedCall } from '../core/clock.ts'
import { Deferred } from '../deferred/deferred.ts'
import { CooperativeTask } from './cooperative-task.ts'

/** Work in steps: a generator, or anything else that can be iterated. What it yields is explained at `cooperate`. */
export type Work<R = unknown> = Iterator<unknown, R, undefined> | Iterable<unknown, R, undefined>

/** How a {@link Cooperator} works. */
export interface CooperatorOptions {
  /** How many steps are made in one turn, all tasks together. 10 unless given: steps of 1 ms hold up others for 10. */
  readonly steps?: number
  /** Whether it begins at once. True unless given. */
  readonly started?: boolean
}

/** Does long pieces of work a few steps at a time, in turn. */
export class Cooperator {
  readonly #clock: Clock
  readonly #steps: number
  #state: 'idle' | 'running' | 'stopped'
  readonly #tasks = new Set<CooperativeTask>()
  /** The tasks that can make a step, the one whose turn it is first. */
  readonly #line = new Set<CooperativeTask>()
  #turn: DelayedCall | undefined

  /** @throws RangeError if `steps` is not a whole number, 1 or more */
  constructor(clock: Clock, { steps = 10, started = true }: CooperatorOptions = {}) {
    if (!Number.isSafeInteger(steps) || steps < 1) throw new RangeError(`steps is a whole number above 0, not ${steps}`)
    this.#clock = clock
    this.#steps = steps
    this.#state = started ? 'running' : 'idle'
  }

  /** Does it make steps when there are any to make? */
  get running(): boolean {
    return this.#state === 'running'
  }

  /**
   * Does `work` step by step, in turn with all other tasks; the first step is made in a later turn. A step that yields a
   * Deferred or a promise pauses the task until that has its result; if it fails, so does the task. Whatever else it
   * yields means nothing.
   *
   * @returns the task; if this Cooperator is stopped, it is stopped too
   */
  cooperate<R>(work: Work<R>): CooperativeTask<R> {
    const task: CooperativeTask<R> = new CooperativeTask<R>(Symbol.iterator in work ? work[Symbol.iterator]() : work, {
      changed: () => this.#changed(task),
    })
    this.#tasks.add(task)
    if (this.#state === 'stopped') task.schedulerStopped()
    this.#changed(task)
    return task
  }

  /**
   * Does `work` as {@link cooperate} does.
   *
   * @returns its outcome. Cancelling it stops the task
   */
  coiterate<R>(work: Work<R>): Deferred<Awaited<R>> {
    const task = this.cooperate(work)
    const watcher = task.whenDone()
    const done = new Deferred<Awaited<R>>((_, reason) => {
      watcher.cancel(reason)
      if (!task.finished) task.stop()
    })
    watcher.chainDeferred(done)
    return done
  }

  /** Begins, or begins anew after {@link stop}. */
  start(): void {
    this.#state = 'running'
    this.#arrange()
  }

  /** Ends all tasks: their `whenDone()` fails with SchedulerStopped, as do the tasks that come after. */
  stop(): void {
    this.#state = 'stopped'
    for (const task of this.#tasks) task.schedulerStopped()
    this.#arrange()
  }

  #changed(task: CooperativeTask): void {
    if (task.finished) this.#tasks.delete(task)
    if (task.ready) this.#line.add(task)
    else this.#line.delete(task)
    this.#arrange()
  }

  /** Sees to it that a turn is coming if, and only if, there is something to do in it. */
  #arrange(): void {
    const wanted = this.#state === 'running' && this.#line.size > 0
    if (wanted && this.#turn === undefined) {
      const cooperate = (): void => this.#makeSteps()
      this.#turn = this.#clock.callLater(0, cooperate)
    } else if (!wanted && this.#turn !== undefined) {
      this.#turn.cancel()
      this.#turn = undefined
    }
  }

  #makeSteps(): void {
    this.#turn = undefined
    for (let left = this.#steps; left > 0; left--) {
      const [task] = this.#line
      if (task === undefined) break
      this.#line.delete(task)
      task.step()
      if (task.ready) this.#line.add(task)
    }
    this.#arrange()
  }
}
