/** A thousand at once: servers for one reader, and clients of a server that is down for ten minutes, or drains. */
import {
  clientFromString,
  ClientService,
  type ConnectionClosed,
  ConnectionDone,
  Factory,
  LineReceiver,
  type ListeningPort,
  Protocol,
  toText,
} from 'couplet'
import { type Experiment, experiment } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { expect, it } from 'vitest'

it('a thousand slow servers are a thousand times faster all at once', () => {
  const sim = new Sim({ latency: 5, maxEventsAtOnce: 100_000 })
  const [poets, reader] = [sim.host('poets'), sim.host('reader')]
  const poem = new TextEncoder().encode('one\ntwo\nthree\nfour\n')
  const poems = Array.from({ length: 1000 }, () => poem)
  let result: Experiment | undefined
  experiment({ poets: poets.reactor, reader: reader.reactor, interface: poets.addresses[0]?.host, poems }).addCallback(
    (value) => (result = value),
  )
  sim.advance(10_000_000)
  const { sequential, concurrent } = result!
  expect(concurrent.ms).toBeLessThan(4100)
  expect(sequential.ms / concurrent.ms).toBeGreaterThan(990)
  expect(sequential.poems).toEqual(concurrent.poems)
})

it('a thousand clients that were left alone for ten minutes come back one by one, and not after they were stopped', () => {
  const sim = new Sim({ latency: 20, ties: 'shuffled', maxEventsAtOnce: 100_000 })
  const server = sim.host('server')
  class Idle extends Protocol {}
  server.run((reactor) =>
    reactor.listenTCP(
      80,
      Factory.forProtocol(() => new Idle()),
    ),
  )
  const services = Array.from({ length: 1000 }, (_, index) => {
    const { reactor } = sim.host(`client ${index}`)
    const factory = Factory.forProtocol(() => new Idle())
    return new ClientService(reactor, clientFromString(reactor, 'tcp:server:80'), factory)
  })
  for (const service of services) service.startService()
  const comings: number[] = []
  sim.rule(({ kind, to, losses }) => {
    if (kind === 'connect' && to === 'server' && losses === 0) comings.push(sim.now)
    return undefined
  })
  sim.advance(10_000)
  expect(sim.connections).toBe(1000)
  sim.faults([{ at: 10_000, kind: 'crash', host: 'server', how: 'process', for: 600_000 }])
  sim.advance(600_000)
  comings.length = 0
  sim.advance(61_000)
  expect(sim.connections).toBe(1000)
  const perSecond = Array.from({ length: 61 }, () => 0)
  for (const ms of comings) perSecond[Math.floor((ms - 610_000) / 1000)]! += 1
  // None of them came twice, and at no moment many more than at any other.
  expect(comings).toHaveLength(1000)
  expect(Math.max(...perSecond)).toBeLessThan((2 * 1000) / 60)
  for (const service of services) service.stopService()
  sim.eventually('all are away', () => sim.connections === 0)
  comings.length = 0
  sim.quiesce()
  expect(comings).toEqual([])
})

it('a thousand clients lose nothing when their server drains, unless it is still at it at the deadline', () => {
  const sim = new Sim({ latency: 10, ties: 'shuffled', maxEventsAtOnce: 100_000 })
  const server = sim.host('server')
  const chance = sim.random('how long answers take, and their way')
  const drain = 20_000
  const withHardQuestions = 30
  let [taken, answered] = [0, 0]
  const broken: number[] = []

  /** Answers a while after it was asked; once it is to stop, it takes no more questions, and goes when all are answered. */
  class Answering extends LineReceiver {
    #open = 0
    #stops = false

    override lineReceived(question: Uint8Array): void {
      const isHard = toText(question) === 'hard'
      if (!isHard) taken++
      this.#open++
      server.reactor.callLater(isHard ? 60_000 : chance.below(3000), () => {
        this.#open--
        this.sendLine('an answer '.repeat(200))
        this.#goWhenDone()
      })
    }

    override stopping(): void {
      this.#stops = true
      this.pauseProducing()
      this.#goWhenDone()
    }

    #goWhenDone(): void {
      if (this.#stops && this.#open === 0) this.transport.loseConnection()
    }
  }

  /** Has three questions open, always. */
  class Asking extends LineReceiver {
    readonly #number: number
    readonly #question: string

    constructor(number: number) {
      super()
      this.#number = number
      this.#question = number < withHardQuestions ? 'hard' : 'easy'
    }

    override connectionMade(): void {
      for (let times = 0; times < 3; times++) this.sendLine(this.#question)
    }

    override lineReceived(): void {
      answered++
      this.sendLine(this.#question)
    }

    override connectionLost(reason: ConnectionClosed): void {
      if (!(reason instanceof ConnectionDone)) broken.push(this.#number)
    }
  }

  let port: ListeningPort | undefined
  const answering = Factory.forProtocol(() => new Answering())
  server.reactor.listenTCP(80, answering).addCallback((opened) => (port = opened))
  for (let number = 0; number < 1000; number++) {
    const { name, reactor } = sim.host(`client ${number}`)
    sim.link('server', name).set({ bandwidth: chance.between(4000, 1_000_000) })
    clientFromString(reactor, 'tcp:server:80').connect(Factory.forProtocol(() => new Asking(number)))
  }
  sim.advance(30_000)
  expect(sim.connections).toBe(1000)
  let stopped: number | undefined
  port!.stopListening({ drain }).addCallback(() => (stopped = sim.now))
  sim.advance(drain - 1)
  expect(sim.connections).toBe(withHardQuestions)
  sim.advance(1)
  expect(stopped).toBe(30_000 + drain)
  sim.quiesce()
  expect(broken.toSorted((one, other) => one - other)).toEqual([...Array(withHardQuestions).keys()])
  expect(answered).toBe(taken)
  expect(taken).toBeGreaterThan(10_000)
})
