/** Servers that come and go behind one held socket, under load. */
import { expect, it } from 'vitest'
import { heldSocket } from './generations.ts'
import { generations, rollingRestart } from './rolling-restart.ts'

it('servers come and go behind a held socket, and no client is dropped', async () => {
  const held = heldSocket()
  const names = ['first', 'second', 'third']
  const { answers, dropped } = await rollingRestart(held.dial, generations(held, names), 50)
  expect(dropped).toEqual([])
  expect([...answers.keys()]).toEqual(names)
})
