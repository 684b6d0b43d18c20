/**
 * While a world runs with promises, failures that nobody handles are reported after the event in which they arose and
 * all its microtasks: at the same moment of virtual time whenever it runs.
 *
 * No ancestor. The list of `deferred/` decides what is reported; here is only when.
 */
import { setUnhandledScheduler } from '../deferred/unhandled.ts'

/** How many worlds run. They share one list, so that one that never ends does no harm to the next. */
let running = 0
let restore: () => void = () => {}
let held: (() => void)[] = []

/** From now on reports wait for {@link reportNow}. */
export function holdReports(): void {
  if (running++ === 0) restore = setUnhandledScheduler((report) => held.push(report))
}

/** All microtasks of an event are done: what it left unhandled is reported. */
export function reportNow(): void {
  if (held.length === 0) return
  const due = held
  held = []
  for (const report of due) report()
}

/** A world runs no more; after the last one reports come as they did before. */
export function releaseReports(): void {
  if (--running === 0) restore()
}
