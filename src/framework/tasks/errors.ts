/**
 * The errors of a Cooperator and its tasks.
 *
 * Ancestor: `SchedulerError` and its kin in `twisted.internet.task`. Thrown at whoever pauses or stops a task that has
 * finished; and TaskStopped and SchedulerStopped are what `whenDone()` fails with.
 */

/** The task has finished, in one of the ways below. */
export abstract class TaskFinished extends Error {
  readonly code: string = 'ERR_TASK_FINISHED'
}

/** It has done all its work. */
export class TaskDone extends TaskFinished {
  static {
    this.prototype.name = 'TaskDone'
  }
  override readonly code: string = 'ERR_TASK_DONE'

  constructor() {
    super('the task has done all its work')
  }
}

/** A step failed, or what the task waited for; `cause` is that error. */
export class TaskFailed extends TaskFinished {
  static {
    this.prototype.name = 'TaskFailed'
  }
  override readonly code: string = 'ERR_TASK_FAILED'

  constructor(options?: ErrorOptions) {
    super('the task has failed', options)
  }
}

/** Its `stop()` was called. */
export class TaskStopped extends TaskFinished {
  static {
    this.prototype.name = 'TaskStopped'
  }
  override readonly code: string = 'ERR_TASK_STOPPED'

  constructor() {
    super('the task was stopped')
  }
}

/** The Cooperator was stopped, and the task with it. */
export class SchedulerStopped extends TaskFinished {
  static {
    this.prototype.name = 'SchedulerStopped'
  }
  override readonly code: string = 'ERR_SCHEDULER_STOPPED'

  constructor() {
    super('the Cooperator of this task was stopped')
  }
}

/** `resume()` of a task without a `pause()` before it. Thrown. */
export class NotPaused extends Error {
  static {
    this.prototype.name = 'NotPaused'
  }
  readonly code: string = 'ERR_NOT_PAUSED'

  constructor() {
    super('resume() without a pause() before it')
  }
}
