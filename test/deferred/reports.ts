/** Takes all reports of one test, and decides when its unhandled failures are due. */
import { afterEach, beforeEach } from 'vitest'
import { type Report, setReporter } from '../../src/framework/deferred/reporter.ts'
import { flushUnhandled, setUnhandledScheduler } from '../../src/framework/deferred/unhandled.ts'

export class Reports {
  readonly all: Report[] = []
  #due: (() => void)[] = []

  /** Ends the turn: what is unhandled now is reported. */
  endTurn(): void {
    const due = this.#due
    this.#due = []
    for (const report of due) report()
  }

  get errors(): unknown[] {
    return this.all.map((report) => report.error)
  }

  take(): { restore(): void } {
    this.all.length = 0
    this.#due = []
    const restoreReporter = setReporter((report) => this.all.push(report))
    const restoreScheduler = setUnhandledScheduler((report) => this.#due.push(report))
    return {
      restore() {
        restoreReporter()
        restoreScheduler()
      },
    }
  }
}

/** For a test file's top: reports are taken around each test, and whatever is left afterwards is thrown away. */
export function takeReports(): Reports {
  const reports = new Reports()
  let taken: { restore(): void } | undefined
  beforeEach(() => {
    taken = reports.take()
  })
  afterEach(() => {
    flushUnhandled()
    taken?.restore()
  })
  return reports
}
