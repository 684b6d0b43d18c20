import { expect, it } from 'vitest'
import { generation, heldSocket } from './generations.ts'
import { rollingRestart } from './rolling-restart.ts'

it('servers come and go behind a held socket, and no client is dropped', async () => {
  const held = heldSocket()
  const names = ['first', 'second', 'third']
  const { answers, dropped } = await rollingRestart(held, names, 50, (name) =>
    generation(held.descriptor, 'systemd:domain=INET:index=0', name),
  )
  expect(dropped).toEqual([])
  expect([...answers.keys()]).toEqual(names)
})
