/** What was reported during a test. */
import { type Report, setReporter } from 'couplet'
import { afterEach, beforeEach, onTestFinished } from 'vitest'

/** Collects what is reported until the test is over. */
export function reports(): Report[] {
  const collected: Report[] = []
  onTestFinished(setReporter((report) => collected.push(report)))
  return collected
}

/** For a test file's top: collects what is reported, anew for each of its tests. */
export function reportsOfEachTest(): Report[] {
  const collected: Report[] = []
  let restore: (() => void) | undefined
  beforeEach(() => {
    collected.length = 0
    restore = setReporter((report) => collected.push(report))
  })
  afterEach(() => restore?.())
  return collected
}
