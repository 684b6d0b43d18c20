/** Rolling restarts under load, five servers long, three times: no client is dropped. */
import { expect, it } from 'vitest'
import { heldSocket } from './generations.ts'
import { generations, rollingRestart } from './rolling-restart.ts'

it.each([1, 2, 3])('five servers come and go, and no client is dropped (run %i)', async () => {
  const held = heldSocket()
  const names = ['first', 'second', 'third', 'fourth', 'fifth']
  const { answers, dropped } = await rollingRestart(held.dial, generations(held, names), 1000)
  expect(dropped).toEqual([])
  expect([...answers.keys()]).toEqual(names)
  console.log(`${[...answers.values()].reduce((sum, each) => sum + each, 0)} answered, ${dropped.length} dropped`)
})
