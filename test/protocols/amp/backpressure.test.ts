/** Who is faster than the other: nothing is lost, nothing piles up, and nobody waits for ever. */
import {
  amp,
  connectProtocol,
  Factory,
  type IPv4Address,
  join,
  Protocol,
  SendQueueOverflow,
  TCPClientEndpoint,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { connected, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

const Get = amp.command('Get', {
  arguments: { number: amp.Integer({ as: 'number' }), padding: amp.String().optional() },
  response: { number: amp.Integer({ as: 'number' }), bytes: amp.String() },
})

/** A peer of a server that answers with so many bytes, on a simulated network. */
function talking<P extends Protocol>(size: number, client: P): { sim: Sim; client: P; server: amp.AMP } {
  const sim = new Sim()
  const server = new amp.AMP().respond(Get, ({ number }) => ({ number, bytes: new Uint8Array(size) }))
  const here = sim.host('server', { addresses: ['10.0.0.1'] }).reactor
  const listening = here.listenTCP(
    0,
    Factory.forProtocol(() => server),
    { interface: '10.0.0.1' },
  )
  sim.advance()
  const { port } = successResultOf(listening).host as IPv4Address
  const there = sim.host('client', { addresses: ['10.0.0.2'] }).reactor
  const made = connectProtocol(new TCPClientEndpoint(there, '10.0.0.1', port), client)
  sim.advance()
  return { sim, client: successResultOf(made), server }
}

/** Asks so often. @returns what was answered, in the order of the answers */
function ask(peer: amp.AMP, count: number, padding?: Uint8Array): { answers: number[]; failures: unknown[] } {
  const answers: number[] = []
  const failures: unknown[] = []
  for (let number = 0; number < count; number++) {
    peer.callRemote(Get, { number, padding }).addCallbacks(
      (answer) => void answers.push(answer.number),
      ({ value }) => void failures.push(value),
    )
  }
  return { answers, failures }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** The bytes of so many questions. */
function questions(count: number): Uint8Array {
  const peer = new amp.AMP()
  const transport = connected(peer)
  ask(peer, count)
  return transport.value()
}

class Raw extends Protocol {
  readonly chunks: Uint8Array[] = []
  override dataReceived(chunk: Uint8Array): void {
    this.chunks.push(chunk)
  }
}

describe('Ten thousand calls at once', () => {
  it('whose answers are much longer than they are, are all answered', () => {
    const { sim, client } = talking(4096, new amp.AMP())
    const { answers } = ask(client, 10_000)
    sim.advance(600_000)
    expect(answers).toEqual(numbers(10_000))
  })

  it('that are long themselves, are all answered', () => {
    const { sim, client } = talking(10, new amp.AMP())
    const { answers, failures } = ask(client, 10_000, new Uint8Array(1024))
    sim.advance(600_000)
    expect(failures).toEqual([])
    expect(answers).toEqual(numbers(10_000))
  })

  it('from both sides, that are long and have long answers, are all answered', () => {
    const { sim, client, server } = talking(2048, new amp.AMP())
    client.respond(Get, ({ number }) => ({ number, bytes: new Uint8Array(2048) }))
    const both = [ask(client, 3000, new Uint8Array(2048)), ask(server, 3000, new Uint8Array(2048))]
    sim.advance(600_000)
    for (const { answers } of both) expect(answers).toEqual(numbers(3000))
  })

  it('leave whole if the connection is closed right behind them', () => {
    const { sim, client, server } = talking(4096, new amp.AMP())
    server.respond(Get, ({ number }, peer) => {
      if (number === 99) peer.transport.loseConnection()
      return { number, bytes: new Uint8Array(4096) }
    })
    const { answers, failures } = ask(client, 200)
    sim.advance(600_000)
    // What comes after the close has begun is dropped, that answer included.
    expect(answers).toEqual(numbers(99))
    expect(failures).toHaveLength(101)
  })
})

it('A long call to a peer that takes everything leaves nothing behind that closing would wait for', () => {
  const peer = new amp.AMP()
  const transport = connected(peer)
  peer.callRemote(Get, { number: 1, padding: new Uint8Array(65_535) }).addErrback(() => {})
  expect(transport.value().length).toBeGreaterThan(65_535)
  expect(transport.producer).toBeUndefined()
})

describe('A peer that takes no answers', () => {
  it('is not read from, and gets them all once it does', () => {
    const { sim, client, server } = talking(4096, new Raw())
    client.transport.pauseProducing()
    client.transport.write(questions(1000))
    sim.advance(60_000)
    expect(server.transport.queued).toBeLessThan(3 * 65_536)
    expect(server.transport.paused).toBe(true)
    client.transport.resumeProducing()
    sim.advance(600_000)
    expect(server.transport.queued).toBe(0)
    expect(join(client.chunks).length).toBeGreaterThan(1000 * 4096)
  })

  it('is not read from by somebody who has paused, when it takes them', () => {
    const { sim, client, server } = talking(4096, new Raw())
    client.transport.pauseProducing()
    client.transport.write(questions(1000))
    sim.advance(60_000)
    server.pauseProducing()
    client.transport.resumeProducing()
    sim.advance(60_000)
    expect(server.transport.paused).toBe(true)
    server.resumeProducing()
    sim.advance(600_000)
    expect(join(client.chunks).length).toBeGreaterThan(1000 * 4096)
  })

  it('is read from as soon as we wait for an answer of its own', () => {
    const { sim, client, server } = talking(4096, new Raw())
    client.transport.pauseProducing()
    client.transport.write(questions(1000))
    sim.advance(60_000)
    expect(server.transport.paused).toBe(true)
    server.callRemote(Get, { number: 1 }).addErrback(() => {})
    expect(server.transport.paused).toBe(false)
  })

  it('nor any questions, ends the connection when more than maxUnsent wait', () => {
    const { sim, client, server } = talking(1, new amp.AMP())
    client.maxUnsent = 2_000_000
    server.transport.pauseProducing()
    const { answers, failures } = ask(client, 5000, new Uint8Array(1024))
    sim.advance(600_000)
    expect(answers).toEqual([])
    expect(failures).toHaveLength(5000)
    expect(new Set(failures).size).toBe(1)
    expect((failures[0] as Error).cause).toBeInstanceOf(SendQueueOverflow)
  })
})
