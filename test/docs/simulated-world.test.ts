/** What docs/simulated-world.md shows is what runs: each of its blocks stands here, line by line, and is tested. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  clientFromString,
  ClientService,
  connectProtocol,
  DatagramProtocol,
  type DelayedCall,
  Factory,
  Failure,
  IPv4Address,
  type ProcessEnding,
  ProcessEndpoint,
  ProcessProtocol,
  Protocol,
  type Reactor,
  toText,
} from 'couplet'
import { certify, type Executable, type Fault, type RandomStream, Sim, SimEscape, simTestWith } from 'couplet/sim'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reports } from '../reports.ts'

class Echo extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

class Asking extends AccumulatingProtocol {
  override connectionMade(): void {
    this.transport.write('anybody?')
  }
}

function twoHosts() {
  const sim = new Sim({ latency: 20 })
  sim.host('server').run((reactor) =>
    reactor.listenTCP(
      7,
      Factory.forProtocol(() => new Echo()),
    ),
  )
  const { reactor } = sim.host('client')

  const client = new AccumulatingProtocol()
  connectProtocol(clientFromString(reactor, 'tcp:server:7'), client)
  sim.advance(60)
  client.transport.write('hello')
  sim.advance(40)
  return { now: sim.now, heard: client.text() }
}

function startEcho(sim: Sim): void {
  const listen = (reactor: Reactor): void => {
    reactor
      .listenTCP(
        7,
        Factory.forProtocol(() => new Echo()),
      )
      .addErrback(() => void reactor.callLater(1000, () => listen(reactor)))
  }
  sim.host('server').run(listen)
}

/** A client that has said something. */
function talkTo(sim: Sim, words: string): AccumulatingProtocol {
  const client = new AccumulatingProtocol()
  const host = sim.hosts.find(({ name }) => name === 'client') ?? sim.host('client')
  connectProtocol(clientFromString(host.reactor, 'tcp:server:7'), client)
  sim.advance(1000)
  client.transport.write(words)
  return client
}

function overThePhone() {
  const sim = new Sim({ latency: 20, seed: 7 })
  startEcho(sim)
  sim.host('client')
  sim.link('client', 'server').set({
    latency: 150, // milliseconds, one way
    jitter: 50, // up to so many more
    bandwidth: 7000, // bytes a second, for all connections together
    segmentSize: 100, // bytes in a packet
    loss: 2, // packets in a hundred; TCP sends them again
    delivery: 'random', // in which pieces the program gets what has arrived
  })
  const client = talkTo(sim, 'x'.repeat(10_000))
  sim.advance(30_000)
  return client.text().length
}

class Numbers extends DatagramProtocol {
  readonly got: string[] = []
  override datagramReceived(datagram: Uint8Array): void {
    this.got.push(toText(datagram))
  }
}

function unheard() {
  const sim = new Sim({ latency: 5, loss: 10, duplicates: 10, stragglers: 20, longestDatagram: 1472 })
  const [server, client] = [new Numbers(), new Numbers()]
  sim.host('server').reactor.listenUDP(53, server)
  sim.host('client').reactor.listenUDP(0, client)
  sim.advance()
  for (let n = 0; n < 100; n++) client.transport.write(String(n), new IPv4Address('UDP', '10.0.0.1', 53))
  sim.advance(1000)
  return server.got
}

function whoseClockIsWrong() {
  const authority = certify({ names: ['authority'] })
  const validTo = Date.UTC(2020, 5, 1)
  const poems = certify({ names: ['poems.example'], by: authority, validTo })
  const sim = new Sim({ latency: 20, epoch: Date.UTC(2020, 0, 1) })
  const address = new IPv4Address('TCP', '10.0.0.1', 443)
  sim.host('server').reactor.listen(address, () => {}, { tls: poems })
  const { reactor } = sim.host('client', { clock: { offset: 365 * 86_400_000 } })

  let outcome: unknown
  const dialed = reactor.dial(address, { tls: { ca: authority.cert, serverName: 'poems.example' } })
  dialed.addBoth((result) => (outcome = result instanceof Failure ? result.value : result))
  sim.advance(1000)
  return outcome
}

function busyServer() {
  const sim = new Sim({ latency: 20 })
  startEcho(sim)
  const client = talkTo(sim, 'hello')
  sim.hosts[0]?.busy(5000)
  sim.advance(1000)
  const before = client.text()
  sim.advance(5000)
  return [before, client.text()]
}

class Shout extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(toText(chunk).toUpperCase())
  }
}

const shout: Executable = () => new Shout() // a protocol on stdin and stdout: it ends when that does

const stubborn: Executable = (process) => {
  process.stdout.write('working\n')
  process.onSignal('SIGTERM', () => process.stderr.write('not yet\n'))
  process.reactor.callLater(60_000, () => process.exit(3))
}

class Output extends ProcessProtocol {
  out = ''
  err = ''
  ending: ProcessEnding | undefined
  override outReceived(chunk: Uint8Array): void {
    this.out += toText(chunk)
  }
  override errReceived(chunk: Uint8Array): void {
    this.err += toText(chunk)
  }
  override processEnded(reason: ProcessEnding): void {
    this.ending = reason
  }
}

function impatient() {
  const sim = new Sim()
  const { reactor } = sim.host('here', { executables: { shout, stubborn } })
  const seen = new Output()
  reactor.spawnProcess(seen, '/bin/stubborn')
  sim.advance(1000)
  seen.transport.terminate({ killAfter: 5000 })
  sim.advance(5000)
  return [seen.out, seen.err, seen.ending?.signal] // 'working', 'not yet', and SIGKILL
}

/** The other one. */
function shouting() {
  const sim = new Sim()
  const { reactor } = sim.host('here', { executables: { shout, stubborn } })
  const protocol = new AccumulatingProtocol()
  connectProtocol(new ProcessEndpoint(reactor, 'shout', [], { env: { PATH: '/bin' } }), protocol)
  sim.advance()
  protocol.transport.write('roses')
  protocol.transport.loseWriteConnection()
  sim.advance()
  return [protocol.text(), protocol.closedReason?.name]
}

function partitioned() {
  const sim = new Sim({ latency: 20 })
  startEcho(sim)
  const client = talkTo(sim, 'hello')
  const repair = sim.link('client', 'server').partition()
  sim.advance(10_000)
  const before = client.text()
  repair()
  sim.advance(10_000)
  return [before, client.text()]
}

function dropFirstTry(sim: Sim) {
  return sim.rule(({ kind, losses }) => (kind === 'data' && losses === 0 ? 'drop' : undefined))
}

const badDay: Fault[] = [
  { at: 1000, kind: 'hold', between: ['client', 'server'], for: 500 },
  { at: 2000, kind: 'reset', pick: 0 },
  { at: 3000, kind: 'crash', host: 'server', how: 'power', for: 60_000 },
  { at: 4000, kind: 'name', name: 'server', answer: 'silent', for: 10_000 },
  { at: 5000, kind: 'descriptors', host: 'client', limit: 0, for: 100 },
]

function proven() {
  const sim = new Sim({ latency: 20 })
  startEcho(sim)
  const { reactor } = sim.host('client')
  const clients: AccumulatingProtocol[] = []
  const factory = Factory.forProtocol(() => clients[clients.push(new Asking()) - 1] ?? new Asking())
  const service = new ClientService(reactor, clientFromString(reactor, 'tcp:server:7'), factory)
  service.startService()

  sim.faults(badDay)
  sim.invariant('never two connections', () => (sim.connections > 1 ? `${sim.connections}` : undefined))
  sim.eventually('the client hears its echo', () => clients.at(-1)?.text() === 'anybody?')
  sim.advance(10_000)
  service.whenConnected().addCallback(() => reactor.callLater(1000, () => service.stopService()))
  sim.quiesce()
  return clients.length
}

function someWords(random: RandomStream): { at: number; word: string }[] {
  return Array.from({ length: random.between(1, 5) }, (_, index) => ({
    at: random.below(30_000),
    word: `word ${index}`,
  }))
}

/** Asks on a connection of its own, again and again, and aborts one that says nothing for ten seconds. */
function askUntilAnswered(reactor: Reactor, word: string, answered: () => void): void {
  class Ask extends Protocol {
    #heard = ''
    #patience: DelayedCall | undefined
    override connectionMade(): void {
      this.#patience = reactor.callLater(10_000, () => this.transport.abortConnection())
      this.transport.write(word)
    }
    override dataReceived(chunk: Uint8Array): void {
      this.#heard += toText(chunk)
      if (this.#heard === word) this.transport.loseConnection()
    }
    override connectionLost(): void {
      if (this.#patience?.active() === true) this.#patience.cancel()
      if (this.#heard === word) answered()
      else again()
    }
  }
  const again = (): void => void reactor.callLater(1000, () => askUntilAnswered(reactor, word, answered))
  connectProtocol(clientFromString(reactor, 'tcp:server:7'), new Ask()).addErrback(again)
}

const simTest = simTestWith(it)

simTest('whoever asks is answered, whatever happens', { seeds: 50, operations: someWords }, (sim, words) => {
  startEcho(sim)
  const { reactor } = sim.host('client')
  const answered: string[] = []
  for (const { at, word } of words) {
    reactor.callLater(at, () => askUntilAnswered(reactor, word, () => answered.push(word)))
  }
  sim.invariant('nobody is answered twice', () =>
    new Set(answered).size === answered.length ? undefined : `${answered}`,
  )
  sim.eventually('everybody is answered', () => answered.length === words.length)
})

function escapes() {
  const sim = new Sim()
  sim.host('here').reactor.callLater(10, () => console.log(Date.now()))
  sim.advance(100)
}

const here = readFileSync(import.meta.filename, 'utf8')
const page = readFileSync(join(import.meta.dirname, '../../docs/simulated-world.md'), 'utf8')

describe('docs/simulated-world.md', () => {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)

  it('has blocks of code', () => {
    expect(blocks.length).toBeGreaterThan(7)
  })

  it.each(blocks)('shows code that stands in this file: %#', (block) => {
    expect(here).toContain(block)
  })

  it('shows what it says', () => {
    expect(twoHosts()).toEqual({ now: 100, heard: 'hello' })
    expect(overThePhone()).toBe(10_000)
    expect(busyServer()).toEqual(['', 'hello'])
    expect(impatient()).toEqual(['working\n', 'not yet\n', 'SIGKILL'])
    expect(shouting()).toEqual(['ROSES', 'ConnectionDone'])
    expect(partitioned()).toEqual(['', 'hello'])
    expect(proven()).toBeGreaterThan(1)
    expect(whoseClockIsWrong()).toMatchObject({ name: 'TLSError', code: 'CERT_HAS_EXPIRED' })
    const got = unheard()
    const different = new Set(got).size
    expect(different).toBeLessThan(100)
    expect(different).toBeLessThan(got.length)
    expect(got).not.toEqual(got.toSorted((one, other) => Number(one) - Number(other)))
  })

  it('drops what is sent for the first time', () => {
    const sim = new Sim({ latency: 20 })
    startEcho(sim)
    const client = talkTo(sim, 'hello')
    dropFirstTry(sim)
    sim.advance(200)
    expect(client.text()).toBe('')
    sim.advance(1000)
    expect(client.text()).toBe('hello')
  })

  it('lets nobody ask the real world', () => {
    reports()
    expect(escapes).toThrow(SimEscape)
  })
})
