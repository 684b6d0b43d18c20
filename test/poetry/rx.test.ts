import {
  CancelledError,
  type ClientEndpoint,
  ConnectionLost,
  ConnectionRefusedError,
  Deferred,
  type Factory,
  FrameTooLong,
  type Protocol,
  TCPClientEndpoint,
  toBytes,
} from 'couplet'
import { PoemCutOff, PoetryFactory } from 'couplet/poetry'
import { merged, poemLines } from 'couplet/poetry/rx'
import { reactorScheduler } from 'couplet/rx'
import { Sim } from 'couplet/sim'
import { everyChunking, failureResultOf, StringTransport, successResultOf } from 'couplet/testing'
import { map, take, timeout } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { heard } from '../rx/heard.ts'

const poem = 'Qui pénètre\nmon cœur ?\n\nPersonne.\n'
const lines = ['Qui pénètre', 'mon cœur ?', '', 'Personne.']

/** Where a test plays the server. */
function reaching(transport: StringTransport): ClientEndpoint {
  return {
    connect<P extends Protocol>(factory: Factory<P>) {
      const connected = new Deferred<P>()
      const protocol = factory.buildProtocol(transport.peer)
      if (protocol === null) throw new Error('no protocol')
      transport.deliverTo(protocol)
      connected.callback(protocol)
      return connected
    },
  }
}

describe('the lines of a poem', () => {
  it('come as they are said, each in its second', () => {
    const sim = new Sim()
    const server = sim.host('server').reactor
    const client = sim.host('client').reactor
    server.listenTCP(10_000, new PoetryFactory(server, toBytes(poem)))
    sim.advance()
    const said = poemLines(new TCPClientEndpoint(client, 'server', 10_000))
    const { log } = heard(said.pipe(map((line) => `${sim.now} ${line}`)))
    sim.advance(10_000)
    expect(log).toEqual([...lines.map((line, index) => `${(index + 1) * 1000} ${line}`), 'complete'])
    expect(sim.pending).toBe(0)
  })

  it('are the same however the bytes arrive, and the last needs no line end', () => {
    everyChunking(toBytes('Qui pé\nœ?\nfin'), (chunks) => {
      const transport = new StringTransport()
      const { log } = heard(poemLines(reaching(transport)))
      for (const chunk of chunks) transport.receive(chunk)
      transport.end()
      expect(log).toEqual(['Qui pé', 'œ?', 'fin', 'complete'])
    })
  })

  it('are no longer than 16 MiB', () => {
    const transport = new StringTransport()
    const { log } = heard(poemLines(reaching(transport)))
    transport.receive('first\n')
    for (let count = 0; count < 17; count++) transport.receive('x'.repeat(1024 * 1024))
    expect(log).toEqual(['first', expect.any(FrameTooLong)])
    expect(transport.disconnecting).toBe(true)
  })

  it('end with an error where the poem is cut off', () => {
    const transport = new StringTransport()
    const { log } = heard(poemLines(reaching(transport)))
    transport.receive('one\ntw')
    const cause = new ConnectionLost('reset')
    transport.end(cause)
    expect(log).toEqual(['one', expect.any(PoemCutOff)])
    expect(log[1]).toMatchObject({ received: 6, cause })
  })

  it('are none when nobody is there', () => {
    const sim = new Sim()
    const { reactor } = sim.host('host')
    const { log } = heard(poemLines(new TCPClientEndpoint(reactor, 'localhost', 1)))
    sim.advance(1000)
    expect(log).toEqual([expect.any(ConnectionRefusedError)])
  })

  it('are as many as wanted, with the time that each may take, and then nothing is left', () => {
    const sim = new Sim()
    const server = sim.host('server').reactor
    const client = sim.host('client').reactor
    server.listenTCP(10_000, new PoetryFactory(server, toBytes(poem)))
    sim.advance()
    const said = poemLines(new TCPClientEndpoint(client, 'server', 10_000))
    const scheduler = reactorScheduler(client)
    const patient = heard(said.pipe(take(2), timeout({ each: 2000, scheduler })))
    const hasty = heard(said.pipe(timeout({ each: 500, scheduler })))
    sim.advance(20_000)
    expect(patient.log).toEqual([...lines.slice(0, 2), 'complete'])
    expect(hasty.log).toEqual([expect.objectContaining({ name: 'TimeoutError' })])
    expect(sim.pending).toBe(0)
  })
})

describe('many poems at once, merged', () => {
  it('come in the order of the jobs, failures included', () => {
    const slow = new Deferred<string>()
    const here = new Deferred<string>()
    here.callback('here')
    const error = new Error('no poem')
    const failing = new Deferred<string>()
    const all = merged([() => slow, () => here, () => failing])
    failing.errback(error)
    slow.callback('late')
    expect(successResultOf(all)).toMatchObject([
      { ok: true, value: 'late' },
      { ok: true, value: 'here' },
      { ok: false, failure: { value: error } },
    ])
  })

  it('are no poems for no jobs', () => {
    expect(successResultOf(merged([]))).toEqual([])
  })

  it('are all cancelled together', () => {
    let cancelled = 0
    const all = merged([() => new Deferred<void>(() => cancelled++), () => new Deferred<void>(() => cancelled++)])
    all.cancel()
    expect(cancelled).toBe(2)
    failureResultOf(all).trap(CancelledError)
  })
})
