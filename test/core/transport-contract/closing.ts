/** The contract of transports, part two: how connections end. */
import { describe, expect, it } from 'vitest'
import { ConnectionAborted, type ConnectionClosed, ConnectionDone, ConnectionLost } from 'couplet'
import { connect, isPattern, type MakeWorld, pattern, reports, type Script, type Witness } from './world.ts'

type Act = (self: Witness) => void

const lose: Act = (self) => self.transport.loseConnection()
const abort: Act = (self) => self.transport.abortConnection()
const loseWrite: Act = (self) => self.transport.loseWriteConnection()
const write: Act = (self) => self.transport.write('more')
const pause: Act = (self) => self.transport.pauseProducing()
const acts: readonly [name: string, act: Act][] = [
  ['loseConnection', lose],
  ['abortConnection', abort],
  ['loseWriteConnection', loseWrite],
  ['write', write],
  ['pauseProducing', pause],
]

/** For inputEnded: does it, and has no complaint about the input. */
function quietly(act: Act): (self: Witness) => undefined {
  return (self) => {
    act(self)
  }
}

/** States in which a connection may be when something is done to it. */
const states: readonly [name: string, enter: (near: Witness, far: Witness) => void][] = [
  ['open', () => {}],
  [
    'with a queue that does not move',
    ({ transport }, far) => {
      far.transport.pauseProducing()
      transport.write(pattern(900_000))
    },
  ],
  ['half closed by us', loseWrite],
  ['half closed by the peer', (_near, far) => loseWrite(far)],
  ['with bytes on their way to us', (_near, far) => far.transport.write(pattern(200_000))],
]

export function closes(makeWorld: MakeWorld): void {
  describe('loseConnection', () => {
    it('delivers everything written before, then ends cleanly on both sides', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      near.transport.write(pattern(1 << 20))
      lose(near)
      expect(near.losses).toBe(0)
      expect(near.transport.disconnecting).toBe(true)
      await world.settle()
      expect(isPattern(far.bytes)).toBe(true)
      expect(far.size).toBe(1 << 20)
      expect([near.reason, far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
      expect(far.calls).toEqual(['made', 'data', 'inputEnded', 'lost'])
    })

    it('delivers a megabyte to a reader that pauses after every chunk', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { data: pause })
      near.transport.write(pattern(1 << 20))
      lose(near)
      await world.settle()
      while (far.losses === 0) {
        far.transport.resumeProducing()
        await world.settle()
      }
      expect(far.size).toBe(1 << 20)
      expect(isPattern(far.bytes)).toBe(true)
      expect([near.reason, far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
    })

    it('drops what is written after it, in silence', async () => {
      const world = makeWorld()
      const errors = reports()
      const { near, far } = await connect(world)
      near.transport.write('before')
      lose(near)
      near.transport.write(' after')
      near.transport.writeSequence([' after', ' that'])
      await world.settle()
      near.transport.write('and later')
      expect(far.text).toBe('before')
      expect(errors).toEqual([])
    })

    it('delivers nothing any more, even when resumed', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, { made: pause })
      far.transport.write(pattern(100_000))
      await world.settle()
      lose(near)
      near.transport.resumeProducing()
      far.transport.write('and this')
      await world.settle()
      expect(near.calls).toEqual(['made', 'lost'])
      expect(near.reason).toBeInstanceOf(ConnectionDone)
      // What nobody heard was read nevertheless: unread input would have turned the close into a reset.
      expect(far.reason).toBeInstanceOf(ConnectionDone)
    })

    it('from inside connectionMade and dataReceived works as from elsewhere', async () => {
      const world = makeWorld()
      const first = await connect(world, { made: (self) => (write(self), lose(self)) })
      const second = await connect(world, { data: lose }, { made: write })
      await world.settle()
      expect(first.far.text).toBe('more')
      expect(second.near.text).toBe('more')
      for (const { near, far } of [first, second]) {
        expect([near.reason, far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
        expect([near.losses, far.losses]).toEqual([1, 1])
      }
    })

    it('with a cause ends as ConnectionAborted with that cause, after delivering', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      const cause = new Error('a frame broke the rules')
      near.transport.write('goodbye')
      near.transport.loseConnection({ cause })
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionAborted)
      expect(near.reason?.cause).toBe(cause)
      expect(far.text).toBe('goodbye')
      expect(far.reason).toBeInstanceOf(ConnectionDone)
    })

    it('keeps its cause when the connection breaks before it is closed', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { made: pause })
      const cause = new Error('a frame broke the rules')
      near.transport.write(pattern(world.plenty))
      near.transport.loseConnection({ cause })
      await world.settle()
      abort(far)
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionAborted)
      expect(near.reason?.cause).toBe(cause)
    })
  })

  describe('abortConnection', () => {
    it('drops what waits, and is ConnectionAborted here and ConnectionLost there', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      const cause = new Error('enough')
      near.transport.write(pattern(world.plenty))
      near.transport.abortConnection(cause)
      expect([near.transport.disconnecting, near.transport.disconnected]).toEqual([true, true])
      expect(near.transport.queued).toBe(0)
      expect(near.losses).toBe(0)
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionAborted)
      expect(near.reason?.cause).toBe(cause)
      expect(near.reason?.message).toMatch(/connection aborted: enough/)
      expect(far.reason?.name).toBe('ConnectionLost')
      expect(far.size).toBeLessThan(world.plenty)
      expect([near.losses, far.losses]).toEqual([1, 1])
    })

    it('twice does no more than once, and the first cause stays', async () => {
      const world = makeWorld()
      const { near } = await connect(world)
      const first = new Error('first')
      near.transport.abortConnection(first)
      near.transport.abortConnection(new Error('second'))
      await world.settle()
      expect(near.losses).toBe(1)
      expect(near.reason?.cause).toBe(first)
      abort(near)
      await world.settle()
      expect(near.losses).toBe(1)
    })

    it('ends a close that is stuck', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { made: pause })
      near.transport.write(pattern(world.plenty))
      lose(near)
      await world.settle()
      expect(near.losses).toBe(0)
      abort(near)
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionAborted)
      // A paused end with full buffers does not look at the wire, so it may learn of the reset only now.
      far.transport.resumeProducing()
      await world.settle()
      expect(far.reason?.name).toBe('ConnectionLost')
    })

    it.each<[hook: string, script: Script, peer: Script]>([
      ['connectionMade', { made: abort }, {}],
      ['dataReceived', { data: abort }, { made: write }],
      ['inputEnded', { ended: quietly(abort) }, { made: lose }],
      ['readConnectionLost', { readLost: abort }, { made: lose }],
      ['writeConnectionLost', { writeLost: abort, made: loseWrite }, {}],
      ['connectionLost', { lost: abort }, { made: lose }],
    ])('is never synchronous and works inside %s', async (hook, script, peer) => {
      const world = makeWorld()
      let insideOthers = 0
      const depth = { of: 0 }
      const wrapped = Object.fromEntries(
        Object.entries(script).map(([name, f]) => [
          name,
          (self: Witness, more: never) => {
            if (name === 'lost' && depth.of > 0) insideOthers++
            depth.of++
            const returned: unknown = (f as (self: Witness, more: never) => unknown)(self, more)
            depth.of--
            return returned
          },
        ]),
      )
      const { near, far } = await connect(world, wrapped, peer)
      await world.settle()
      expect(insideOthers).toBe(0)
      expect(near.losses).toBe(1)
      expect(far.losses).toBe(1)
      expect(near.calls.at(-1)).toBe('lost')
      if (hook !== 'connectionLost') expect(near.reason).toBeInstanceOf(ConnectionAborted)
    })
  })

  describe.each(states)('%s', (_state, enter) => {
    const pairs = acts.flatMap(([first, one]) => acts.map(([second, two]) => [first, second, one, two] as const))
    it.each(pairs)('%s then %s ends once, in one of three ways', async (_first, _second, one, two) => {
      const world = makeWorld()
      const { near, far, nearEnd } = await connect(world)
      enter(near, far)
      await world.settle()
      const before = near.losses
      one(near)
      two(near)
      expect(near.losses, 'inside the calls').toBe(before)
      await world.settle()
      // Whatever it was: the far side reads on and closes, and an end comes to both.
      far.transport.resumeProducing()
      near.transport.resumeProducing()
      lose(near)
      lose(far)
      await world.settle()
      expect([near.losses, far.losses]).toEqual([1, 1])
      expect(near.calls.at(-1)).toBe('lost')
      const aborted = before === 0 && (one === abort || two === abort)
      const done = near.reason?.name === 'ConnectionDone'
      expect(done).toBe(!aborted)
      expect(await nearEnd.whenLost()).toBe(near.reason)
    })
  })

  describe('half close', () => {
    const both: Script = { readLost: () => {}, writeLost: () => {} }

    it('sends what was written, tells both sides, and leaves the other direction open', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, both, both)
      near.transport.write('question')
      loseWrite(near)
      near.transport.write(' dropped')
      await world.settle()
      expect(far.text).toBe('question')
      expect(far.calls).toEqual(['made', 'data', 'inputEnded', 'readLost'])
      expect(near.calls).toEqual(['made', 'writeLost'])
      far.transport.write('answer')
      await world.settle()
      expect(near.text).toBe('answer')
      lose(far)
      await world.settle()
      expect([near.reason, far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
    })

    it('of both directions closes the connection, once', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, both, both)
      loseWrite(near)
      loseWrite(far)
      await world.settle()
      for (const end of [near, far]) {
        expect(end.losses).toBe(1)
        expect(end.reason).toBeInstanceOf(ConnectionDone)
        expect(end.calls.filter((call) => call === 'readLost')).toHaveLength(1)
        expect(end.calls.filter((call) => call === 'writeLost')).toHaveLength(1)
      }
    })

    it('is answered by closing, unless the protocol has readConnectionLost', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      loseWrite(near)
      await world.settle()
      expect(far.reason).toBeInstanceOf(ConnectionDone)
      expect(near.reason).toBeInstanceOf(ConnectionDone)
    })

    it('lets what waits to be sent go first', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, { made: pause, readLost: () => {} })
      far.transport.write(pattern(world.plenty))
      loseWrite(near)
      await world.settle()
      expect(far.losses).toBe(0)
      near.transport.resumeProducing()
      await world.settle()
      expect(near.size).toBe(world.plenty)
      expect(isPattern(near.bytes)).toBe(true)
      expect(far.reason).toBeInstanceOf(ConnectionDone)
    })

    it('then loseConnection does not call connectionLost inside the call', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, both, both)
      loseWrite(near)
      loseWrite(far)
      await world.settle()
      const other = await connect(world, both, both)
      loseWrite(other.near)
      await world.settle()
      lose(other.near)
      expect(other.near.losses).toBe(0)
      lose(other.far)
      await world.settle()
      expect(other.near.reason).toBeInstanceOf(ConnectionDone)
    })
  })

  describe('an end of input', () => {
    it('that comes too early is ConnectionLost with that cause', async () => {
      const world = makeWorld()
      const cause = new Error('half a message')
      const { near, far } = await connect(world, {}, { ended: () => cause, readLost: () => {} })
      near.transport.write('half a mess')
      lose(near)
      await world.settle()
      expect(far.reason?.name).toBe('ConnectionLost')
      expect(far.reason?.cause).toBe(cause)
      expect(far.calls, 'a truncated message is no half close').not.toContain('readLost')
      expect(near.reason).toBeInstanceOf(ConnectionDone)
    })

    it.each<[what: string, act: Act]>([
      ['closes', lose],
      ['aborts', abort],
    ])('is told no further when inputEnded %s', async (_what, act) => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { ended: quietly(act), readLost: () => {} })
      lose(near)
      await world.settle()
      expect(far.calls).toEqual(['made', 'inputEnded', 'lost'])
    })
  })

  describe('after the end', () => {
    it.each<[how: string, end: Act]>([
      ['closed', lose],
      ['aborted', abort],
    ])('%s: everything is silent and nothing is said any more', async (_how, end) => {
      const world = makeWorld()
      const errors = reports()
      const { near, far, nearEnd } = await connect(world)
      const { transport } = near
      end(near)
      await world.settle()
      const calls = [...near.calls]
      transport.write('x')
      transport.writeSequence(['x', 'y'])
      transport.loseConnection()
      transport.loseWriteConnection()
      transport.abortConnection(new Error('too late'))
      transport.pauseProducing()
      transport.resumeProducing()
      transport.unregisterProducer()
      nearEnd.askToStop()
      far.transport.write('x')
      await world.settle()
      expect(near.calls).toEqual(calls)
      expect(near.transport).toBe(transport)
      expect([transport.disconnecting, transport.disconnected, transport.queued]).toEqual([true, true, 0])
      expect(errors).toEqual([])
    })

    it('whenLost has the reason, for every one who asks, before or after', async () => {
      const world = makeWorld()
      const order: string[] = []
      const { near, nearEnd } = await connect(world, { lost: () => void order.push('connectionLost') })
      const told: ConnectionClosed[] = []
      for (const name of ['first', 'second']) {
        nearEnd.whenLost().addCallback((reason) => {
          order.push(name)
          told.push(reason)
        })
      }
      lose(near)
      await world.settle()
      expect(order).toEqual(['connectionLost', 'first', 'second'])
      expect(told).toEqual([near.reason, near.reason])
      expect(await nearEnd.whenLost()).toBe(near.reason)
    })
  })

  describe('askToStop', () => {
    it('closes a protocol that knows nothing of stopping', async () => {
      const world = makeWorld()
      const { near, nearEnd } = await connect(world)
      nearEnd.askToStop()
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionDone)
    })

    it('lets one that does finish in its own time', async () => {
      const world = makeWorld()
      const { near, far, nearEnd } = await connect(world, { stopping: (self) => self.transport.write('goodbye') })
      nearEnd.askToStop()
      await world.settle()
      expect(near.losses).toBe(0)
      expect(far.text).toBe('goodbye')
      lose(near)
      await world.settle()
      nearEnd.askToStop()
      expect(near.calls).toEqual(['made', 'stopping', 'lost'])
    })
  })

  describe('a peer that resets', () => {
    it('is ConnectionLost, with what the system said as the cause, whatever waits', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { made: pause })
      near.transport.write(pattern(world.plenty))
      await world.settle()
      abort(far)
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionLost)
      expect(near.reason).not.toBeInstanceOf(ConnectionAborted)
      expect(near.reason?.cause).toBeInstanceOf(Error)
      expect((near.reason as ConnectionLost).message).toContain(String(near.transport.peer))
      expect(near.transport.queued).toBe(0)
    })
  })
}
