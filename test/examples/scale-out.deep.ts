/** Rolling restarts under load, three times each, with more of everything. */
import { afterEach, describe, expect, it } from 'vitest'
import { heldSocket } from '../node/generations.ts'
import { type Load, rollingRestart } from '../node/rolling-restart.ts'
import { Started } from '../poetry/programs.ts'
import { activatedServer, inheriting, replacedWorkers } from './scale-out.ts'

const started = new Started()
afterEach(() => started.end())

function sums({ answers, dropped }: Load): string {
  return `${[...answers.values()].reduce((sum, each) => sum + each, 0)} answered, ${dropped.length} dropped`
}

describe.each([1, 2, 3])('no client is dropped (run %i)', () => {
  it('when five servers come and go behind a held socket', async () => {
    const held = heldSocket()
    const start = inheriting(started, held, activatedServer)
    const load = await rollingRestart(held.dial, [start, start, start, start, start], 1000)
    expect(load.dropped).toEqual([])
    console.log(`held: ${sums(load)}`)
  })

  it('when the workers of a cluster are replaced five times', async () => {
    const load = await replacedWorkers(started, 5, 1000)
    expect(load.dropped).toEqual([])
    console.log(`cluster: ${sums(load)}`)
  })
})
