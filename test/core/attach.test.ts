/** attach: the one door through which a connection gets its protocol. */
import {
  type Address,
  type Admission,
  attach,
  type Connection,
  ConnectionAborted,
  ConnectionLost,
  Deferred,
  Factory,
  IPv4Address,
  NoProtocol,
  Protocol,
} from 'couplet'
import { beforeEach, describe, expect, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { outcome, ScriptedConnection, ScriptedReactor } from '../scripted-reactor.ts'

const peer = new IPv4Address('TCP', '192.0.2.7', 4711)
const reports = takeReports()

class Porter extends Factory {
  built = 0
  protocol: Protocol = new Quiet()
  readonly #admission: ((connection: Connection) => Admission) | undefined

  constructor(admission?: (connection: Connection) => Admission) {
    super()
    this.#admission = admission
  }
  override buildProtocol(_peer: Address): Protocol | null {
    this.built++
    return this.protocol
  }
  override admit(connection: Connection): Admission {
    return this.#admission === undefined ? connection : this.#admission(connection)
  }
}

class Quiet extends Protocol {
  made = 0
  lost: Error | undefined
  override connectionMade(): void {
    this.made++
  }
  override connectionLost(reason: Error): void {
    this.lost = reason
  }
}

let reactor: ScriptedReactor
let connection: ScriptedConnection
beforeEach(() => {
  reactor = new ScriptedReactor()
  connection = new ScriptedConnection(reactor, peer)
})

function expectClosed(cause: unknown): void {
  expect(connection.end).toBe('reset')
  const lost = outcome(connection.whenLost())
  reactor.advance(0)
  expect(lost.value).toBeInstanceOf(ConnectionAborted)
  expect(lost.value?.cause).toBe(cause)
  expect(reactor.timers).toBe(0)
}

describe('attach', () => {
  it('gives the protocol, connected, in the same turn', () => {
    const protocol = new Quiet()
    const attached = outcome(
      attach(
        Factory.forProtocol((from) => (from.equals(peer) ? protocol : null)),
        connection,
      ),
    )
    expect(attached).toEqual({ value: protocol })
    expect([protocol.made, protocol.transport]).toEqual([1, connection])
  })

  it('waits for an admission that takes its time', () => {
    const answer = new Deferred<Connection | null>()
    const porter = new Porter(() => answer)
    const attached = outcome(attach(porter, connection))
    expect([attached, porter.built]).toEqual([{}, 0])
    answer.callback(connection)
    expect([attached, porter.built]).toEqual([{ value: porter.protocol }, 1])
  })

  it('builds for the connection, and the peer, that the admission gives', () => {
    const client = new IPv4Address('TCP', '198.51.100.1', 1)
    const wrapped = new ScriptedConnection(reactor, client)
    const attached = outcome(attach(new Porter(() => wrapped), connection))
    expect(attached.value?.transport).toBe(wrapped)
  })

  it.each<[string, Factory]>([
    ['admit gives null', new Porter(() => null)],
    ['admit gives null later', new Porter(() => later(null))],
    ['buildProtocol gives null', Factory.forProtocol(() => null)],
    ['buildProtocol forgot its return', Factory.forProtocol(() => undefined as unknown as null)],
  ])('fails with NoProtocol and closes when %s', (_, factory) => {
    const attached = outcome(attach(factory, connection))
    reactor.advance(0)
    expect(attached.error).toBeInstanceOf(NoProtocol)
    expect(String(attached.error)).toContain('192.0.2.7:4711')
    expectClosed(attached.error)
  })

  const broken = new Error('no ink')
  function throws(): never {
    throw broken
  }

  it.each<[string, Factory]>([
    ['admit throws', new Porter(throws)],
    ['the admission fails later', new Porter(() => later(null).addCallback(throws))],
    ['buildProtocol throws', Factory.forProtocol(throws)],
    ['connectionMade throws', Factory.forProtocol(() => Object.assign(new Quiet(), { connectionMade: throws }))],
  ])('fails with the error, and aborts with it as the cause, when %s', (_, factory) => {
    const attached = outcome(attach(factory, connection))
    reactor.advance(0)
    expect(attached.error).toBe(broken)
    expectClosed(broken)
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('tells a protocol whose connectionMade threw that its connection is lost', () => {
    const protocol = Object.assign(new Quiet(), { connectionMade: throws })
    outcome(
      attach(
        Factory.forProtocol(() => protocol),
        connection,
      ),
    )
    reactor.advance(0)
    expect(protocol.lost).toMatchObject({ name: 'ConnectionAborted', cause: broken })
  })

  it('cancelled while the admission is waited for, closes the connection', () => {
    const answer = new Deferred<Connection | null>()
    const porter = new Porter(() => answer)
    const attaching = attach(porter, connection)
    const attached = outcome(attaching)
    attaching.cancel()
    expect(attached.error).toMatchObject({ name: 'CancelledError' })
    expect(porter.built).toBe(0)
    expectClosed(attached.error)
  })

  it('builds no protocol for a connection that was lost while its admission was waited for', () => {
    const answer = new Deferred<Connection | null>()
    const porter = new Porter(() => answer)
    const attached = outcome(attach(porter, connection))
    connection.break(new Error('cable'))
    answer.callback(connection)
    expect(attached.error).toBeInstanceOf(ConnectionLost)
    expect(attached.error).toMatchObject({ cause: { message: 'cable' } })
    expect(porter.built).toBe(0)
  })

  it('builds no protocol for a connection that its admission aborted', () => {
    const porter = new Porter((offered) => {
      offered.abortConnection(broken)
      return offered
    })
    const attached = outcome(attach(porter, connection))
    expect(porter.built).toBe(0)
    reactor.advance(0)
    expect(attached.error).toBeInstanceOf(ConnectionAborted)
    expect(attached.error).toMatchObject({ cause: broken })
  })

  it('delivers to one protocol only', () => {
    outcome(attach(new Porter(), connection))
    expect(() => connection.deliverTo(new Quiet())).toThrow('has its protocol already')
  })
})

/** Comes in a later turn; at the end of this test's first `advance(0)`. */
function later<T>(value: T): Deferred<T> {
  const deferred = new Deferred<T>()
  queue.push(() => deferred.callback(value))
  return deferred
}
const queue: (() => void)[] = []
beforeEach(() => {
  queue.length = 0
  reactor.callLater(0, () => {
    for (const f of queue) f()
  })
})
