/** Who tests a program of `couplet/node` in a simulated world has both in one process. */
import { Deferred } from 'couplet'
import 'couplet/node'
import { Sim } from 'couplet/sim'
import { expect, it } from 'vitest'
import { reports } from '../reports.ts'

it('a failure that nobody handles while a world runs is reported afterwards, and does not end the world', async () => {
  const reported = reports()
  const sim = new Sim()
  const [handled, unhandled] = [new Deferred<void>(), new Deferred<void>()]
  sim.host('a').reactor.callLater(5, () => {
    handled.errback(new Error('handled in time'))
    unhandled.errback(new Error('nobody cares'))
  })
  sim.advance(10)
  handled.addErrback(() => undefined)
  expect(reported).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(reported.map(({ error }) => String(error))).toEqual(['Error: nobody cares'])
})
