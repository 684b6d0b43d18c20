/** How one end's end reaches the other one, whatever it is. */
import {
  ConnectionAborted,
  ConnectionDone,
  ConnectionLost,
  idleTimeout,
  IncompleteFrame,
  limitConnections,
  type PushProducer,
  type Transport,
  withPolicies,
} from 'couplet'
import { assertNoResult, pattern, successResultOf, isPattern, type Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { ForwarderInSim, keepsHalf, type WatchedFactory, WatchedServer } from './forwarder-in-sim.ts'

/** How both ended, and whether all went by the rules. */
function endsOf(near: Witness, far: Witness): (string | undefined)[] {
  expect([near.complaints, far.complaints]).toEqual([[], []])
  return [near.reason?.name, far.reason?.name]
}

const lost = ['ConnectionLost', 'ConnectionLost']
const done = ['ConnectionDone', 'ConnectionDone']

describe('a forwarded connection', () => {
  it('is a conversation as any other', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    near.transport.write('ping')
    far.transport.write('welcome')
    world.sim.advance(10)
    expect([near.text, far.text]).toEqual(['welcome', 'ping'])
    near.transport.loseConnection()
    far.transport.loseConnection()
    world.sim.advance(10)
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  it('goes on to be answered when the client has said all', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    near.transport.write('question')
    near.transport.loseWriteConnection()
    world.sim.advance(60_000)
    expect([far.text, far.calls.at(-1)]).toEqual(['question', 'readLost'])
    far.transport.write('answer')
    world.sim.advance(60_000)
    far.transport.loseConnection()
    world.sim.advance(10)
    expect(near.text).toBe('answer')
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  it('goes on to be listened to when the server has said all', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    far.transport.write('go on')
    far.transport.loseWriteConnection()
    world.sim.advance(60_000)
    expect([near.text, near.calls.at(-1)]).toEqual(['go on', 'readLost'])
    near.transport.write('so I do')
    world.sim.advance(60_000)
    near.transport.loseConnection()
    world.sim.advance(10)
    expect(far.text).toBe('so I do')
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  it('ends at both ends when one closes, and the other one is of those that close then', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair({}, {})
    far.transport.write('bye')
    far.transport.loseConnection()
    world.sim.advance(10)
    expect(near.text).toBe('bye')
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  it.each(['client', 'server'])('that the %s resets is reset for the other one, with the reset as the cause', (who) => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const [resets, other] = who === 'client' ? [near, far] : [far, near]
    resets.transport.write('half a sen')
    world.sim.advance(10)
    resets.transport.abortConnection()
    world.sim.advance(10)
    expect(other.text).toBe('half a sen')
    expect(other.reason).toBeInstanceOf(ConnectionLost)
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    if (who === 'server') {
      expect(server.reason).toBeInstanceOf(ConnectionAborted)
      expect(server.reason?.message).toMatch(/^10\.0\.0\.1:\d+: connection aborted: 10\.0\.0\.3:80: connection lost/)
      expect(server.reason?.cause).toBeInstanceOf(ConnectionLost)
    } else expect(server.reason?.name).toBe('ConnectionLost')
    world.isOver()
  })

  it('that breaks in the network breaks at both ends, once the forwarder has found out', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    world.server.crash('power')
    near.transport.write('anybody there?')
    world.sim.advance(86_400_000)
    expect(near.reason).toBeInstanceOf(ConnectionLost)
    expect(far.reason).toBeUndefined()
    expect(world.factory.connections).toBe(0)
  })

  it('never looks complete when it was not: a reset behind an end of input is a reset', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    near.transport.write(pattern(1000))
    near.transport.loseWriteConnection()
    world.sim.advance(10)
    far.transport.write('an answer of which')
    world.sim.advance(10)
    far.transport.abortConnection()
    world.sim.advance(10)
    expect(endsOf(near, far)).toEqual(['ConnectionLost', 'ConnectionAborted'])
    world.isOver()
  })

  it.each([0, 300_000])('that was cut short is broken at both ends, while %i bytes go the other way', (size) => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    // As TLS without its goodbye is.
    server.inputEnded = function () {
      WatchedServer.prototype.inputEnded.call(this)
      return new IncompleteFrame(4)
    }
    near.transport.pauseProducing()
    if (size > 0) new Source(far.transport, size).start()
    world.sim.advance(10)
    near.transport.write('half')
    near.transport.loseWriteConnection()
    world.sim.advance(10)
    near.transport.resumeProducing()
    world.sim.advance(10_000)
    expect([far.text, isPattern(near.bytes)]).toEqual(['half', true])
    expect(far.reason?.name).toBe('ConnectionLost')
    expect(server.reason).toMatchObject({ name: 'ConnectionLost', cause: { name: 'IncompleteFrame' } })
    near.transport.abortConnection()
    world.sim.advance(10)
    world.isOver()
  })

  it('that a protocol of ours closes in the middle is closed at the other end too', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    far.transport.write('one')
    world.sim.advance(10)
    server.transport.unregisterProducer()
    server.transport.loseConnection()
    world.sim.advance(10)
    expect([near.text, near.calls.at(-1)]).toEqual(['one', 'readLost'])
    near.transport.loseConnection()
    world.sim.advance(10)
    expect(far.calls.at(-1)).toBe('readLost')
    far.transport.loseConnection()
    world.sim.advance(10)
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  it('whose protocol throws ends at both ends, and is reported', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    const broken = new Error('broken')
    server.dataReceived = () => {
      throw broken
    }
    near.transport.write('x')
    world.sim.advance(10)
    expect(endsOf(near, far)).toEqual(lost)
    expect(world.reports.map(({ error }) => error)).toEqual([broken])
    expect(server.reason?.cause).toBe(broken)
  })
})

/** Says so many bytes, then that they were all, as fast as its connection takes them. */
class Source implements PushProducer {
  sent = 0
  readonly #transport: Transport
  readonly #size: number
  #paused = false

  constructor(transport: Transport, size: number) {
    this.#transport = transport
    this.#size = size
  }

  start(): this {
    this.#transport.registerProducer(this, true)
    this.resumeProducing()
    return this
  }

  pauseProducing() {
    this.#paused = true
  }

  resumeProducing() {
    this.#paused = false
    while (!this.#paused && this.sent < this.#size) {
      const length = Math.min(10_000, this.#size - this.sent)
      this.#transport.write(pattern(length, this.sent))
      this.sent += length
    }
    if (this.sent < this.#size) return
    this.#transport.unregisterProducer()
    this.#transport.loseWriteConnection()
  }

  stopProducing() {}
}

describe('what is on its way', () => {
  it('waits at its sender while nobody takes it, as long as that lasts, and arrives', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const size = 3 << 20
    far.transport.pauseProducing()
    const source = new Source(near.transport, size).start()
    world.sim.advance(3_600_000)
    // Four buffers of 64 KiB in kernels, and what each of two transports has queued.
    expect(source.sent).toBeLessThan(1 << 20)
    const { servers } = world.factory as WatchedFactory
    expect(servers[0]?.transport.paused).toBe(true)
    expect(servers[0]?.peer?.transport.queued).toBeLessThanOrEqual(128 * 1024)
    far.transport.resumeProducing()
    world.sim.advance(1000)
    expect([far.size, isPattern(far.bytes), far.calls.at(-1)]).toEqual([size, true, 'readLost'])
    far.transport.loseConnection()
    world.sim.advance(10)
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  // As much as all buffers hold and less; and so much that its end is not there yet.
  it.each([190_000, 240_000, 1 << 20])('in one direction does not wait for %i bytes in the other', (asked) => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const size = 1 << 20
    // The server listens only when it has said everything, and that is more than all buffers hold.
    far.transport.pauseProducing()
    new Source(near.transport, asked).start()
    world.sim.advance(1000)
    new Source(far.transport, size).start()
    world.sim.advance(1000)
    expect([near.size, isPattern(near.bytes)]).toEqual([size, true])
    far.transport.resumeProducing()
    world.sim.advance(1000)
    expect([far.size, isPattern(far.bytes)]).toEqual([asked, true])
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  // So much that its end has come through to the last queue, and so much that it has not.
  it.each([150_000, 200_000])('may be taken as slowly as its reader likes: %i bytes of one who is gone', (size) => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    near.transport.loseWriteConnection()
    near.transport.pauseProducing()
    far.transport.write(pattern(size))
    far.transport.loseConnection()
    world.sim.advance(4000)
    expect(far.reason).toBeInstanceOf(ConnectionDone)
    world.sim.advance(3_600_000)
    near.transport.resumeProducing()
    world.sim.advance(10)
    expect([near.size, isPattern(near.bytes)]).toEqual([size, true])
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })
})

describe('a forwarder that stops', () => {
  it('lets both sides finish what they have to say', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const stopped = world.port.stopListening({ drain: 10_000 })
    world.sim.advance(5000)
    near.transport.write('one thing more')
    world.sim.advance(10)
    expect(far.text).toBe('one thing more')
    near.transport.loseConnection()
    far.transport.loseConnection()
    world.sim.advance(10)
    successResultOf(stopped)
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })

  it('ends in a reset, at both ends, what is not finished in time', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    const stopped = world.port.stopListening({ drain: 10_000 })
    world.sim.advance(10_010)
    successResultOf(stopped)
    expect(endsOf(near, far)).toEqual(lost)
    world.isOver()
  })

  it('knows when the last byte has left on the side that a port knows nothing of', () => {
    const world = new ForwarderInSim()
    const { near, far } = world.pair()
    far.transport.loseWriteConnection()
    far.transport.pauseProducing()
    near.transport.write(pattern(150_000))
    near.transport.loseConnection()
    const drained = world.port.stopListening({ drain: 10_000 })
    const [given, idle] = [world.factory.whenIdle(), world.factory.whenIdle()]
    given.cancel()
    given.addErrback(() => undefined)
    world.sim.advance(4000)
    successResultOf(drained)
    assertNoResult(idle)
    far.transport.resumeProducing()
    world.sim.advance(10)
    successResultOf(idle)
    successResultOf(world.factory.whenIdle())
    expect(far.size).toBe(150_000)
    expect(endsOf(near, far)).toEqual(done)
    world.isOver()
  })
})

describe('the policies of a forwarder', () => {
  it('end both ends with one', () => {
    const world = new ForwarderInSim()
    world.forward(withPolicies(world.factory, idleTimeout(world.forwarder.reactor, 30_000))).serve()
    const near = world.connect()
    world.sim.advance(20_000)
    near.transport.write('x')
    world.sim.advance(29_000)
    expect(near.reason).toBeUndefined()
    // The usual chance to leave for what may be queued.
    world.sim.advance(6100)
    expect(endsOf(near, world.served[0]!)).toEqual(lost)
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    expect(String(server.reason?.cause)).toMatch(/^IdleTimeout/)
    world.isOver()
  })

  it('refuse a client before anybody is asked for it', () => {
    const world = new ForwarderInSim()
    world.forward(withPolicies(world.factory, limitConnections(1))).serve()
    const first = world.connect()
    const second = world.connect(keepsHalf)
    world.sim.advance(10)
    expect([first.reason, second.reason?.name, world.served.length]).toEqual([undefined, 'ConnectionLost', 1])
  })
})
