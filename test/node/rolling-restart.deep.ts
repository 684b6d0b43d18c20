/** Rolling restarts under load, five servers long, three times: no client is dropped. */
import { expect, it } from 'vitest'
import { generation, heldSocket } from './generations.ts'
import { rollingRestart } from './rolling-restart.ts'

it.each([1, 2, 3])('five servers come and go, and no client is dropped (run %i)', async () => {
  const held = heldSocket()
  const names = ['first', 'second', 'third', 'fourth', 'fifth']
  const { answers, dropped } = await rollingRestart(held, names, 1000, (name) =>
    generation(held.descriptor, 'systemd:domain=INET:index=0', name),
  )
  expect(dropped).toEqual([])
  expect([...answers.keys()]).toEqual(names)
  console.log(`${[...answers.values()].reduce((sum, each) => sum + each, 0)} answered, ${dropped.length} dropped`)
})
