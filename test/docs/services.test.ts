/**
 * What docs/services.md shows is what runs: each of its blocks of TypeScript stands here, line by line, and is tested.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  backoff,
  type ClientEndpoint,
  clientFromString,
  ClientService,
  Deferred,
  EndpointService,
  Factory,
  LineReceiver,
  MultiService,
  type Reactor,
  runService,
  type ServerEndpoint,
  serverFromString,
  Service,
  TimerService,
  toText,
} from 'couplet'
import type { Main } from 'couplet/node'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, successResultOf } from 'couplet/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

/** Asks the weather station, one question at a time. */
class Readings extends LineReceiver {
  #answer: Deferred<string> | undefined

  logIn(word: string): Deferred<string> {
    return this.ask(`login ${word}`)
  }

  ask(question: string): Deferred<string> {
    this.sendLine(question)
    return (this.#answer = new Deferred())
  }

  override lineReceived(line: Uint8Array): void {
    this.#answer?.callback(toText(line))
  }
}

/** The station: says back what it was asked. */
class Station extends LineReceiver {
  override lineReceived(line: Uint8Array): void {
    this.sendLine(`${toText(line)}: fine`)
  }
}

class Visitor extends LineReceiver {
  readonly #readings: ClientService<Readings>

  constructor(readings: ClientService<Readings>) {
    super()
    this.#readings = readings
  }

  override async lineReceived(place: Uint8Array) {
    const station = await this.#readings.whenConnected({ failAfterFailures: 1 })
    this.sendLine(await station.ask(toText(place)))
  }
}

export function weatherServer(reactor: Reactor, listen: ServerEndpoint, station: ClientEndpoint): MultiService {
  const readings = new ClientService(
    reactor,
    station,
    Factory.forProtocol(() => new Readings()),
  )
  const visitors = Factory.forProtocol(() => new Visitor(readings))
  const program = new MultiService()
  program.addService(readings)
  program.addService(new TimerService(reactor, 3_600_000, () => console.log('all is well')))
  program.addService(new EndpointService(listen, visitors, { drain: 4000 }))
  return program
}

export const main: Main = (reactor, port = 'tcp:8000', station = 'tcp:station.example:9000') =>
  runService(reactor, weatherServer(reactor, serverFromString(reactor, port), clientFromString(reactor, station)))

export function carefulClient(reactor: Reactor, station: ClientEndpoint, log: (line: string) => void) {
  const wait = backoff(reactor, { maxDelay: 30_000 })
  return new ClientService(
    reactor,
    station,
    Factory.forProtocol(() => new Readings()),
    {
      prepareConnection: (readings) => readings.logIn('sesame'),
      retryPolicy: (failures, reason) => {
        log(`no weather for the ${failures}. time: ${reason}`)
        return wait(failures)
      },
    },
  )
}

export class Journal extends Service {
  readonly #path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    super()
    this.#path = path
  }

  protected override async starting() {
    this.#file = await open(this.#path, 'a')
  }

  protected override async stopping() {
    await this.#file?.close()
  }
}

const here = readFileSync(import.meta.filename, 'utf8')
const page = readFileSync(join(import.meta.dirname, '../../docs/services.md'), 'utf8')

describe('docs/services.md', () => {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)

  it('has blocks of code', () => {
    expect(blocks.length).toBe(5)
  })

  it.each(blocks)('shows code that stands in this file: %#', (block) => {
    expect(here).toContain(block)
  })

  it('the program serves, and ends when the reactor is stopped', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
    onTestFinished(() => log.mockRestore())
    const sim = new Sim()
    const { reactor } = sim.host('server')
    sim.host('station').reactor.listenTCP(
      9000,
      Factory.forProtocol(() => new Station()),
    )
    const ran = main(reactor as never, 'tcp:8000', 'tcp:station:9000') as Deferred<void>
    sim.advance()
    const visitor = new AccumulatingProtocol()
    const endpoint = clientFromString(sim.host('visitor').reactor, 'tcp:server:8000')
    endpoint.connect(Factory.forProtocol(() => visitor))
    sim.advance()
    visitor.transport.write('Ghent\r\n')
    await sim.runFor(0)
    expect([visitor.text(), log.mock.calls]).toEqual(['Ghent: fine\r\n', [['all is well']]])
    reactor.stop('SIGTERM')
    sim.advance()
    expect([successResultOf(ran), visitor.closedReason?.name]).toEqual([undefined, 'ConnectionDone'])
    expect(reactor.pendingCalls()).toEqual([])
  })

  it('the client logs in, and tells the log when it does not get through', () => {
    const sim = new Sim()
    const { reactor } = sim.host('client')
    const log: string[] = []
    const client = carefulClient(reactor, clientFromString(reactor, 'tcp:station:9000'), (line) => log.push(line))
    const station = sim.host('station').reactor
    client.startService()
    sim.advance()
    expect(log).toEqual([expect.stringMatching(/^no weather for the 1\. time: ConnectionRefusedError: .*:9000/)])
    station.listenTCP(
      9000,
      Factory.forProtocol(() => new Station()),
    )
    sim.advance(1000)
    expect(successResultOf(client.whenConnected())).toBeInstanceOf(Readings)
  })

  it('the journal is open from start to stop', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'couplet-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const journal = new Journal(join(folder, 'journal'))
    await journal.startService()
    await journal.stopService()
    await expect(new Journal(folder).startService()).rejects.toThrow('EISDIR')
    expect(journal.state).toBe('stopped')
  })
})
