/**
 * Makes a scenario that fails as small as it can be and still fail: without faults first, then operations, then knobs.
 *
 * The seed stays: since everything is drawn from streams of their own, what is left goes on as before when something is
 * left out. No ancestor; the way is Zeller's delta debugging (ddmin, 2002).
 */
import type { Scenario } from './scenario.ts'

/** The smallest that was found, and how often it was tried. */
export interface Minimised<Operation> {
  readonly scenario: Scenario<Operation>
  readonly runs: number
}

/**
 * Makes a scenario smaller, as long as it still fails.
 *
 * @param fails runs a scenario, and says whether it fails in the way that matters
 * @param most how often it may be run
 */
export async function minimise<Operation>(
  scenario: Scenario<Operation>,
  fails: (smaller: Scenario<Operation>) => boolean | PromiseLike<boolean>,
  most = 300,
): Promise<Minimised<Operation>> {
  let runs = 0
  let smallest = scenario
  const tries = async (smaller: Scenario<Operation>): Promise<boolean> => {
    if (runs >= most) return false
    runs++
    if (!(await fails(smaller))) return false
    smallest = smaller
    return true
  }
  await fewest(scenario.faults, (faults) => tries({ ...smallest, faults }))
  await fewest(scenario.operations, (operations) => tries({ ...smallest, operations }))
  await fewest(Object.entries(scenario.knobs), (knobs) => tries({ ...smallest, knobs: Object.fromEntries(knobs) }))
  return { scenario: smallest, runs }
}

/** Leaves out as many items as it can while `fails` says yes: large parts first, then smaller ones, then single items. */
async function fewest<T>(items: readonly T[], fails: (fewer: readonly T[]) => Promise<boolean>): Promise<void> {
  let left = items
  for (let part = left.length; part >= 1; part = Math.floor(part / 2)) {
    for (let start = 0; start < left.length;) {
      const fewer = [...left.slice(0, start), ...left.slice(start + part)]
      if (await fails(fewer)) left = fewer
      else start += part
    }
  }
}
