/** What a pause means on a real connection: frames and the peer's end wait, whatever the medium does meanwhile. */
import {
  type Address,
  type ConnectionClosed,
  type DelayedCall,
  Deferred,
  IPv4Address,
  LineReceiver,
  Protocol,
  Reactor,
  setReporter,
  StreamConnection,
  toBytes,
  toText,
  Turn,
} from 'couplet'
import { ManualClock } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

/** A reactor that has time and turns, and no network. */
class TimeOnly extends Reactor {
  readonly clock = new ManualClock()
  readonly turn = new Turn({
    atEndOfTurn: (f) => void this.clock.callLater(0, f),
    inNextTurn: (f) => void this.clock.callLater(0, f),
  })
  now(): number {
    return this.clock.now()
  }
  wallTime(): number {
    return 0
  }
  random(): number {
    return 0
  }
  callLater(ms: number, f: () => unknown): DelayedCall {
    return this.clock.callLater(ms, f)
  }
  resolve(): Deferred<never> {
    return new Deferred()
  }
  dial(): Deferred<never> {
    return new Deferred()
  }
  listen(): Deferred<never> {
    return new Deferred()
  }
}

const address: Address = new IPv4Address('TCP', '127.0.0.1', 1)

/** A medium in the hand of the test, which says what arrives. It tells of a FIN even while nobody reads, as Node may. */
class TestMedium extends StreamConnection {
  reading = false
  readonly world: TimeOnly
  constructor(world: TimeOnly) {
    super(world, address, address)
    this.world = world
  }
  data(text: string): void {
    this.received(toBytes(text))
  }
  fin(): void {
    this.peerFinished()
  }
  protected override startReading(): void {
    this.reading = true
  }
  protected override stopReading(): void {
    this.reading = false
  }
  protected override transmit(): boolean {
    return true
  }
  protected override finish(): void {
    this.world.callLater(0, () => this.finished())
  }
  protected override close(): void {
    this.world.callLater(0, () => this.closed())
  }
  protected override reset(): void {
    this.world.callLater(0, () => this.closed())
  }
}

class Lines extends LineReceiver {
  readonly events: string[] = []
  override lineReceived(line: Uint8Array): void {
    this.events.push(toText(line))
    this.pauseProducing()
  }
  override connectionLost(reason: ConnectionClosed): void {
    this.events.push(reason.name)
  }
}

function connection() {
  const world = new TimeOnly()
  const medium = new TestMedium(world)
  const protocol = new Lines()
  return { world, medium, protocol, events: protocol.events, turn: () => world.clock.advance(0) }
}

describe('a connection that is paused', () => {
  it('delivers the lines it has kept back, and only then the end of the input', () => {
    const { medium, protocol, events, turn } = connection()
    medium.deliverTo(protocol)
    medium.data('a\r\nb\r\n')
    medium.fin()
    turn()
    expect([events, medium.paused, medium.reading, medium.disconnecting]).toEqual([['a'], true, false, false])
    protocol.resumeProducing()
    turn()
    expect(events).toEqual(['a', 'b'])
    protocol.resumeProducing()
    expect(events).toEqual(['a', 'b'])
    turn()
    expect(events).toEqual(['a', 'b', 'ConnectionDone'])
  })

  it('finds out at the end, not before, that a line was cut short', () => {
    const { medium, protocol, events, turn } = connection()
    medium.deliverTo(protocol)
    medium.data('a\r\nb')
    medium.fin()
    turn()
    protocol.resumeProducing()
    turn()
    expect(events).toEqual(['a', 'ConnectionLost'])
  })

  it('can be closed although the end of the input is waiting', () => {
    const { medium, protocol, events, turn } = connection()
    medium.deliverTo(protocol)
    medium.data('a\r\nb\r\n')
    medium.fin()
    medium.loseConnection()
    expect(events).toEqual(['a'])
    turn()
    expect(events).toEqual(['a', 'ConnectionDone'])
    protocol.resumeProducing()
    turn()
    expect(events).toEqual(['a', 'ConnectionDone'])
  })

  it('is read again when it is resumed', () => {
    const { medium, protocol, events } = connection()
    medium.deliverTo(protocol)
    expect(medium.reading).toBe(true)
    medium.data('a\r\n')
    expect(medium.reading).toBe(false)
    protocol.resumeProducing()
    expect(medium.reading).toBe(true)
    medium.data('b\r\n')
    expect(events).toEqual(['a', 'b'])
  })

  it('delivers nothing when it is resumed after it was lost', () => {
    const { medium, protocol, events, turn } = connection()
    medium.deliverTo(protocol)
    medium.data('a\r\nb\r\n')
    medium.abortConnection()
    turn()
    protocol.resumeProducing()
    protocol.setLineMode(toBytes('c\r\n'))
    expect(events).toEqual(['a', 'ConnectionAborted'])
    expect(medium.disconnecting).toBe(true)
  })
})

describe('a connection whose peer has closed before anybody listened', () => {
  it('tells its protocol so, after connectionMade has returned', () => {
    const { medium, turn } = connection()
    const events: string[] = []
    class Late extends Protocol {
      override connectionMade(): void {
        events.push('made')
      }
      override connectionLost(reason: ConnectionClosed): void {
        events.push(reason.name)
      }
    }
    medium.fin()
    turn()
    medium.deliverTo(new Late())
    expect(events).toEqual(['made'])
    turn()
    expect(events).toEqual(['made', 'ConnectionDone'])
  })
})

describe('a line handler that throws', () => {
  it('ends the connection with its error as the cause, also when the line came out of a pause', () => {
    const { medium, turn } = connection()
    let reason: ConnectionClosed | undefined
    const error = new Error('broken')
    class Broken extends LineReceiver {
      override lineReceived(line: Uint8Array): void {
        this.pauseProducing()
        if (toText(line) === 'b') throw error
      }
      override connectionLost(why: ConnectionClosed): void {
        reason = why
      }
    }
    const protocol = new Broken()
    medium.deliverTo(protocol)
    medium.data('a\r\nb\r\nc\r\n')
    const reports: unknown[] = []
    const restore = setReporter((report) => reports.push(report))
    protocol.resumeProducing()
    restore()
    turn()
    expect(reason?.name).toBe('ConnectionAborted')
    expect(reason?.cause).toBe(error)
    expect(reports).toHaveLength(1)
  })
})
