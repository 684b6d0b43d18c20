/**
 * The list of failures that nobody has handled yet: each is reported once, after its turn and all microtasks are over.
 *
 * Ancestor: `DebugInfo.__del__` of `twisted.internet.defer`, which waits for the garbage collector; here time decides.
 */

import { trace } from '../trace/hook.ts'
import { site } from './debugging.ts'
import { cancellationIn } from './errors.ts'
import { type Failure, isLookedAt, lookAt } from './failure.ts'
import { type Report, report } from './reporter.ts'

/** Calls `report` once, later: after the present turn and all of its microtasks. */
export type UnhandledScheduler = (report: () => void) => void

// Captured now, so that a test's fake timers, put in later, do not swallow reports.
const later = setTimeout

let schedule: UnhandledScheduler = (report) => {
  later(report, 0)
}

/** The failed Deferreds whose failure nobody took, each with it, oldest first. */
const waiting = new Map<object, Failure>()

/** Cancellations that somebody asked for: nobody needs to be told of them. */
const asked = new WeakSet<object>()

/** Counts the appointments; only the newest one reports. */
let appointment = 0
let appointed = false

/**
 * Lets `next` decide when unhandled failures are reported, in place of `setTimeout(report, 0)`. What is waiting now is
 * handed to it too.
 *
 * @returns a function that puts the scheduler before it back, and hands on what is waiting then
 */
export function setUnhandledScheduler(next: UnhandledScheduler): () => void {
  const before = schedule
  schedule = next
  appoint()
  return () => {
    schedule = before
    appoint()
  }
}

/**
 * Takes the failures that would have been reported from the list, oldest first; they are not reported any more. A test
 * ends with it and looks whether there were any.
 */
export function flushUnhandled(): readonly Report[] {
  const reports: Report[] = []
  for (const [subject, failure] of waiting) {
    waiting.delete(subject)
    if (isLookedAt(failure)) continue
    lookAt(failure)
    reports.push(reportOf(subject, failure))
  }
  return reports
}

/**
 * A Deferred's chain ended in `failure`, for now.
 *
 * @returns whether the failure is on the list, so that `forget` has something to do
 */
export function note(deferred: object, failure: Failure): boolean {
  if (isLookedAt(failure)) return false
  const cancellation = cancellationIn(failure.value)
  if (cancellation !== undefined && asked.has(cancellation)) return false
  waiting.set(deferred, failure)
  if (!appointed) appoint()
  return true
}

/** Somebody takes the failure after all. */
export function forget(deferred: object): void {
  waiting.delete(deferred)
}

/** The cancellation in `error` was asked for: no unhandled failure that comes from it is reported. */
export function excuse(error: unknown): void {
  const cancellation = cancellationIn(error)
  if (cancellation !== undefined) asked.add(cancellation)
}

function appoint(): void {
  const mine = ++appointment
  appointed = waiting.size > 0
  if (!appointed) return
  schedule(() => {
    if (mine !== appointment) return
    appointed = false
    reportAll()
  })
}

function reportAll(): void {
  // A reporter may make new failures; they wait for the next appointment.
  const due = [...waiting]
  waiting.clear()
  for (const [subject, failure] of due) {
    if (isLookedAt(failure)) continue
    lookAt(failure)
    trace?.at('d.lost', subject, { v: failure.value })
    report(reportOf(subject, failure))
  }
}

function reportOf(subject: object, failure: Failure): Report {
  const made = site(subject)
  const what = 'Unhandled failure in a Deferred'
  return made === undefined
    ? { error: failure.value, what, subject }
    : { error: failure.value, what, subject, site: made }
}
