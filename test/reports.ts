/** What was reported during a test. */
import { type Report, setReporter } from 'couplet'
import { onTestFinished } from 'vitest'

/** Collects what is reported until the test is over. */
export function reports(): Report[] {
  const collected: Report[] = []
  onTestFinished(setReporter((report) => collected.push(report)))
  return collected
}
