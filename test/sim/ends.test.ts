/** An end that comes while its protocol does not read: told when it reads again, or at once, as Node tells it. */
import { ConnectionLost, IncompleteFrame } from 'couplet'
import { pattern } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { World } from './stage.ts'

describe.each(['when read', 'at once'] as const)('an end that is told %s', (ends) => {
  it('is no clean one for a cut message, even if both ends have finished while its receiver was paused', () => {
    const world = new World({ ends })
    const incomplete = new IncompleteFrame(4)
    const { near, far } = world.connect(
      {},
      { ended: () => incomplete, data: (self) => self.transport.pauseProducing() },
    )
    near.transport.write('half')
    world.sim.advance()
    near.transport.loseConnection()
    far.transport.loseWriteConnection()
    world.sim.advance()
    expect(far.reason).toBeUndefined()
    far.transport.resumeProducing()
    world.sim.advance()
    expect(far.reason).toBeInstanceOf(ConnectionLost)
    expect(far.reason?.cause).toBe(incomplete)
  })

  it.each(['resumeProducing', 'loseConnection', 'abortConnection'] as const)(
    'after both have finished while one was paused is over after %s, once',
    (end) => {
      const world = new World({ ends })
      const { near, far } = world.connect({}, { made: (self) => self.transport.pauseProducing() })
      far.transport.loseWriteConnection()
      near.transport.loseConnection()
      world.sim.advance()
      expect(far.reason).toBeUndefined()
      far.transport[end]()
      world.sim.advance()
      expect([far.reason?.name, far.losses]).toEqual([
        end === 'abortConnection' ? 'ConnectionAborted' : 'ConnectionDone',
        1,
      ])
      expect([world.sim.pending, world.sim.connections]).toEqual([0, 0])
    },
  )

  it('overtakes nothing that was not read', () => {
    const world = new World({ ends })
    const { near, far } = world.connect({}, { made: (self) => self.transport.pauseProducing() })
    near.transport.write(pattern(100))
    near.transport.loseConnection()
    world.sim.advance()
    expect(far.calls).toEqual(['made'])
    far.transport.resumeProducing()
    world.sim.advance()
    expect([far.size, far.reason?.name]).toEqual([100, 'ConnectionDone'])
  })

  it('is not told to one whose answers wait, before it has gone on', () => {
    const world = new World({ ends })
    const calls: string[] = []
    const { near, far } = world.connect(
      { made: (self) => self.transport.pauseProducing() },
      {
        data: (self) => self.transport.write(pattern(300_000)),
        ended: () => {
          calls.push(far.transport.queued > 0 ? 'ended too early' : 'ended')
          return undefined
        },
      },
    )
    near.transport.write('question')
    near.transport.loseWriteConnection()
    world.sim.advance(1000)
    expect(calls).toEqual([])
    near.transport.resumeProducing()
    world.sim.advance(1000)
    expect([calls, near.size, near.reason?.name]).toEqual([['ended'], 300_000, 'ConnectionDone'])
  })
})

it('an end that is told at once leaves no socket behind, where the other end has come first', () => {
  const world = new World({ ends: 'at once' })
  const { near, far } = world.connect({}, { made: (self) => self.transport.pauseProducing() })
  far.transport.loseWriteConnection()
  near.transport.loseConnection()
  world.sim.advance()
  expect(world.server.netstat().map(({ state }) => state)).toEqual(['listening'])
})
