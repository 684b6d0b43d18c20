import type { Protocol } from 'couplet'
import {
  type Connection,
  ClientFactory,
  type ConnectionClosed,
  Deferred,
  Factory,
  type Hook,
  Layer,
  limitConnections,
  NoProtocol,
  type Policy,
  withPolicies,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Echo, ServerInSim } from './server-in-sim.ts'

/** Writes down in what order it is told things, and by which layer. */
class Told extends Layer {
  readonly #name: string
  readonly #log: string[]

  constructor(connection: Connection, name: string, log: string[]) {
    super(connection)
    this.#name = name
    this.#log = log
  }
  override connectionMade(): Hook {
    this.#log.push(`${this.#name} made`)
    return super.connectionMade()
  }
  override dataReceived(chunk: Uint8Array): Hook {
    this.#log.push(`${this.#name} received`)
    return super.dataReceived(chunk)
  }
  override write(data: Uint8Array): void {
    this.#log.push(`${this.#name} writes`)
    super.write(data)
  }
  override connectionLost(reason: ConnectionClosed): Hook {
    this.#log.push(`${this.#name} lost`)
    return super.connectionLost(reason)
  }
}

function told(name: string, log: string[]): Policy {
  return (connection) => new Told(connection, name, log)
}

describe('withPolicies', () => {
  it('lists policies from the wire inward', () => {
    const server = new ServerInSim()
    const log: string[] = []
    server.serve([told('outer', log), told('inner', log)])
    const client = server.say('x')
    expect(client.text()).toBe('x')
    client.transport.loseConnection()
    server.sim.advance()
    expect(log).toEqual(
      ['outer made', 'inner made', 'outer received', 'inner received', 'inner writes', 'outer writes'].concat([
        'outer lost',
        'inner lost',
      ]),
    )
  })

  it('works for clients as for servers', () => {
    const server = new ServerInSim()
    server.serve([])
    const log: string[] = []
    const factory = Factory.forProtocol(() => new AccumulatingProtocol())
    const client = server.connect('10.0.0.2', withPolicies(factory, told('client', log)))
    client.transport.write('x')
    server.sim.advance()
    expect(client.text()).toBe('x')
    expect(log).toEqual(['client made', 'client writes', 'client received'])
  })

  it('asks the admit of the factory last, and takes its no for a no', () => {
    class Choosy extends Factory {
      readonly asked: Connection[] = []
      answer: 'yes' | 'no' = 'no'
      override admit(connection: Connection): Connection | null {
        this.asked.push(connection)
        return this.answer === 'yes' ? connection : null
      }
      override buildProtocol(): Protocol {
        return new Echo()
      }
    }
    const server = new ServerInSim()
    const factory = new Choosy()
    server.listen(withPolicies(factory, (connection) => new Layer(connection)))
    const refused = server.connect()
    server.sim.advance()
    expect(factory.asked[0]).toBeInstanceOf(Layer)
    expect(refused.closedReason?.name).toBe('ConnectionLost')
    factory.answer = 'yes'
    expect(server.say('hello').text()).toBe('hello')
    expect(server.reports).toEqual([])
  })

  it('waits for a policy that answers later, and asks the next one with what that answers', () => {
    const server = new ServerInSim()
    const later = new Deferred<Connection | null>()
    const seen: Connection[] = []
    server.serve([
      () => later,
      (connection) => {
        seen.push(connection)
        return connection
      },
    ])
    const client = server.say('early')
    expect(server.served).toEqual([])
    const layer = new Layer(server.connections[0]!)
    later.callback(layer)
    server.sim.advance()
    expect(seen).toEqual([layer])
    expect(client.text()).toBe('early')
  })

  it.each<[string, Policy]>([
    ['null', () => null],
    ['null, later', () => Object.assign(new Deferred<null>(), {})],
    [
      'an error that says why',
      ({ peer }) => {
        throw new NoProtocol(peer, 'not on a Sunday')
      },
    ],
  ])('leaks nothing when a later policy refuses: %s', (_how, refuse) => {
    const server = new ServerInSim()
    const log: string[] = []
    const limit = limitConnections(1)
    let refusing = true
    server.serve([
      limit,
      told('inner', log),
      (connection) => {
        if (!refusing) return connection
        const answer = refuse(connection)
        if (answer instanceof Deferred) answer.callback(null)
        return answer
      },
      // Is not asked about a connection that is refused already.
      (connection) => (connection.peer.kind === 'IPv4' ? connection : null),
    ])
    const refused = server.connect()
    server.sim.advance()
    expect(refused.closedReason).toBeDefined()
    expect(server.ends[0]?.cause).toBeInstanceOf(NoProtocol)
    expect(log).toEqual([])
    expect(server.served).toEqual([])
    refusing = false
    expect(server.say('hello').text()).toBe('hello')
    expect(server.reports).toEqual([])
    expect(server.sim.pending).toBe(0)
  })

  it('reports what a policy throws by mistake, and goes on serving', () => {
    const server = new ServerInSim()
    const mistake = new TypeError('undefined is not a function')
    let mistaken = true
    server.serve([
      (connection) => {
        if (mistaken) throw mistake
        return connection
      },
    ])
    server.connect()
    server.sim.advance()
    expect(server.reports.map(({ error }) => error)).toEqual([mistake])
    expect(server.ends[0]?.cause).toBe(mistake)
    mistaken = false
    expect(server.say('hello').text()).toBe('hello')
  })

  it('starts and stops the factory with its first and last port, whoever else uses it', () => {
    class Started extends Factory {
      readonly log: string[] = []
      override buildProtocol(): Protocol {
        return new Echo()
      }
      override startFactory(): void {
        this.log.push('start')
      }
      override stopFactory(): void {
        this.log.push('stop')
      }
    }
    const { reactor, sim } = new ServerInSim()
    const factory = new Started()
    const ports = [reactor.listenTCP(1, factory), reactor.listenTCP(2, withPolicies(factory, limitConnections(1)))]
    sim.advance()
    expect(factory.log).toEqual(['start'])
    ports[0]?.addCallback((port) => port.stopListening())
    sim.advance()
    expect(factory.log).toEqual(['start'])
    ports[1]?.addCallback((port) => port.stopListening())
    sim.advance()
    expect(factory.log).toEqual(['start', 'stop'])
  })

  it('refuses a ClientFactory, whose hooks nobody would call', () => {
    class Old extends ClientFactory {
      override buildProtocol(): Protocol {
        return new Echo()
      }
    }
    expect(() => withPolicies(new Old())).toThrow(TypeError)
  })
})
