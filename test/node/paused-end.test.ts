/** An end that comes while a protocol is paused, on real sockets. */
import { ConnectionLost, IncompleteFrame } from 'couplet'
import { Witness } from 'couplet/testing'
import { expect, it } from 'vitest'
import { Loopback, until } from './loopback.ts'

it('a cut message is no clean end, even if both ends have finished while its receiver was paused', async () => {
  const net = new Loopback()
  const [near, far] = await net.pair()
  const incomplete = new IncompleteFrame(4)
  const witness = new Witness({ ended: () => incomplete, data: (self) => self.transport.pauseProducing() })
  far.deliverTo(witness)
  const other = new Witness()
  near.deliverTo(other)
  other.transport.write('half')
  await net.settle()
  witness.transport.loseWriteConnection()
  await net.settle()
  witness.transport.resumeProducing()
  await until(() => witness.losses === 1)
  expect(witness.reason).toBeInstanceOf(ConnectionLost)
  expect(witness.reason?.cause).toBe(incomplete)
})

it.each(['resumeProducing', 'loseConnection', 'abortConnection'] as const)(
  'a connection whose ends have both finished while it was paused is over after %s, once',
  async (end) => {
    const net = new Loopback()
    const [near, far] = await net.pair()
    const witness = new Witness({ made: (self) => self.transport.pauseProducing() })
    far.deliverTo(witness)
    near.deliverTo(new Witness())
    witness.transport.loseWriteConnection()
    await net.settle()
    expect(witness.reason).toBeUndefined()
    witness.transport[end]()
    await until(() => witness.losses === 1 && net.reactor.stats().open === 0)
    await net.settle()
    expect([witness.reason?.name, witness.losses]).toEqual([
      end === 'abortConnection' ? 'ConnectionAborted' : 'ConnectionDone',
      1,
    ])
  },
)
