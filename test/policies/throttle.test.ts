import { type Hook, SendQueueOverflow, throttle, toBytes } from 'couplet'
import { AccumulatingProtocol, ManualClock } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { TokenBucket } from '../../src/framework/policies/token-bucket.ts'
import { Echo, ServerInSim } from './server-in-sim.ts'

const quiet = (): AccumulatingProtocol => new AccumulatingProtocol()

/** How many bytes there are after each second. */
function perSecond(server: ServerInSim, seconds: number, size: () => number): number[] {
  return Array.from({ length: seconds }, () => {
    server.sim.advance(1000)
    return size()
  })
}

describe('throttle', () => {
  it('sends so many bytes a second, after a burst', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000, burst: 500 })], quiet)
    const client = server.connect()
    server.last.transport.write(new Uint8Array(4000))
    server.sim.advance()
    expect(client.value()).toHaveLength(500)
    expect(perSecond(server, 4, () => client.value().length)).toEqual([1500, 2500, 3500, 4000])
  })

  it('reads so many bytes a second, on average', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { read: 1000, burst: 1000 })], quiet)
    const client = server.connect()
    client.transport.write(new Uint8Array(200_000))
    const sizes = perSecond(server, 150, () => server.last.value().length)
    // A chunk comes whole, and then nothing until it is paid for; a chunk has 64 KiB at most.
    for (const [second, size] of sizes.entries()) expect(size).toBeLessThanOrEqual(1000 * (second + 2) + 65_536)
    expect(sizes.at(-1)).toBeGreaterThanOrEqual(1000 * 150)
    server.sim.advance(100_000)
    expect(server.last.value()).toHaveLength(200_000)
  })

  it('keeps the bytes and their order', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { read: 3000, write: 2000, burst: 10 })])
    const text = Array.from({ length: 2000 }, (_, index) => `${index} `).join('')
    const client = server.connect()
    for (let at = 0; at < text.length; at += 7) client.transport.write(text.slice(at, at + 7))
    server.sim.advance(60_000)
    expect(client.text()).toBe(text)
  })

  it('limits each connection for itself, or all together', () => {
    const sizes = (shared: boolean): number[] => {
      const server = new ServerInSim()
      server.serve([throttle(server.reactor, { write: 1000, burst: 100, shared })], quiet)
      const clients = Array.from({ length: 4 }, () => server.connect())
      for (const { transport } of server.served) transport.write(new Uint8Array(100_000))
      server.sim.advance(10_000)
      return clients.map((client) => client.value().length)
    }
    expect(sizes(false)).toEqual([10_100, 10_100, 10_100, 10_100])
    const together = sizes(true)
    expect(together.reduce((sum, size) => sum + size, 0)).toBe(10_100)
    expect(Math.min(...together)).toBeGreaterThan(1000)
  })

  it('gives those who share it their turn, however often another one writes', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000, burst: 100, shared: true })], quiet)
    const patient = server.connect()
    const busy = server.connect()
    const [toPatient, toBusy] = server.served.map(({ transport }) => transport)
    toPatient?.write(new Uint8Array(100_000))
    for (let time = 0; time < 10_000; time++) {
      toBusy?.write('.')
      server.sim.advance(1)
    }
    expect(patient.value().length).toBeGreaterThan(4000)
    expect(busy.value().length).toBeGreaterThan(4000)
  })

  it('reads of all together no more than they share', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { read: 1000, burst: 1000, shared: true })], quiet)
    const clients = Array.from({ length: 3 }, () => server.connect())
    const received = (): number =>
      server.served.reduce((sum, { chunks }) => sum + chunks.flatMap((c) => [...c]).length, 0)
    for (let second = 0; second < 30; second++) {
      for (const { transport } of clients) transport.write(new Uint8Array(1000))
      server.sim.advance(1000)
    }
    expect(received()).toBeLessThanOrEqual(1000 * 31 + 3 * 65_536)
    server.sim.advance(100_000)
    expect(received()).toBe(90_000)
  })

  it('lets loseConnection deliver what was written, however long it takes', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000 })], quiet)
    const client = server.connect()
    server.last.transport.write(new Uint8Array(60_000))
    server.last.transport.loseConnection()
    server.last.transport.write('too late')
    server.sim.advance(58_000)
    expect(client.closedReason).toBeUndefined()
    server.sim.advance(2000)
    expect(client.value()).toHaveLength(60_000)
    expect(client.closedReason?.name).toBe('ConnectionDone')
    expect(server.last.closedReason?.name).toBe('ConnectionDone')
    expect(server.sim.pending).toBe(0)
  })

  it('lets loseWriteConnection do so too', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000 })], quiet)
    const client = server.connect()
    server.last.transport.write(new Uint8Array(3000))
    server.last.transport.loseWriteConnection()
    server.last.transport.write('too late')
    server.sim.advance(10_000)
    expect(client.value()).toHaveLength(3000)
    expect(client.closedReason?.name).toBe('ConnectionDone')
  })

  it('drops what waits when the connection is aborted, and leaves no timer', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000, read: 1000 })])
    const client = server.connect()
    client.transport.write(new Uint8Array(50_000))
    server.sim.advance(100)
    expect(server.last.transport.queued).toBeGreaterThan(40_000)
    server.last.transport.abortConnection()
    expect(server.last.transport.queued).toBe(0)
    server.sim.advance()
    expect(server.sim.pending).toBe(0)
  })

  it('reads no more from a peer that asks for more than it may get', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000 })], () => new Echo())
    const client = server.connect()
    let asked = 0
    for (; client.transport.queued === 0 && asked < 900_000; asked += 50_000) {
      client.transport.write(new Uint8Array(50_000))
      server.sim.advance(10)
    }
    expect(asked).toBeLessThan(500_000)
    expect(server.last.transport.queued).toBeLessThan(3 * 65_536)
    expect(server.last.closedReason).toBeUndefined()
    server.sim.advance(1_000_000)
    expect(client.value()).toHaveLength(asked)
  })

  it('ends a connection for which too much waits', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000, maxSendQueue: 10_000 })], quiet)
    server.connect()
    for (let count = 0; count < 12; count++) server.last.transport.write(new Uint8Array(1000))
    server.sim.advance()
    expect(server.last.closedReason?.cause).toBeInstanceOf(SendQueueOverflow)
    expect(server.last.closedReason?.cause).toMatchObject({ limit: 10_000 })
  })

  it('pauses a producer above 64 KiB, resumes it when nothing waits, and stops it once', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 100_000 })], quiet)
    const client = server.connect()
    const { transport } = server.last
    const calls: string[] = []
    const note = (call: string) => (): Hook => {
      calls.push(call)
    }
    const producer = { pauseProducing: note('pause'), resumeProducing: note('resume'), stopProducing: note('stop') }
    transport.registerProducer(producer, true)
    transport.write(new Uint8Array(300_000))
    expect(calls).toEqual(['pause'])
    server.sim.advance(3000)
    expect(calls).toEqual(['pause', 'resume'])
    client.transport.abortConnection()
    server.sim.advance()
    expect(calls).toEqual(['pause', 'resume', 'stop'])
  })

  it('copies small pieces, as a connection does, so that their memory can be used again', () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1, burst: 1 })], quiet)
    const client = server.connect()
    const memory = toBytes('abc')
    server.last.transport.write(memory)
    memory.fill(0)
    server.sim.advance(5000)
    expect(client.text()).toBe('abc')
  })

  it('does not let TLS begin between bytes that wait and those that have left', async () => {
    const server = new ServerInSim()
    server.serve([throttle(server.reactor, { write: 1000, burst: 500 })], quiet)
    server.connect()
    const { transport } = server.last
    const why = (): Promise<unknown> =>
      transport
        .startTLS({ role: 'client' })
        .addErrback(({ value }) => value)
        .toPromise()
    transport.write(new Uint8Array(800))
    server.sim.advance()
    expect(await why()).toMatchObject({
      code: 'ERR_TLS_THROTTLED',
      message: expect.stringMatching(/300 bytes wait/) as string,
    })
    server.sim.advance(1000)
    // Now it begins, with a peer that says nothing.
    const outcome = why()
    server.sim.advance(10_000)
    expect(await outcome).toMatchObject({ code: 'ERR_TLS_HANDSHAKE_TIMEOUT' })
  })

  it('wants rates that let something through', () => {
    const clock = new ManualClock()
    for (const rate of [0, -1, NaN, Infinity]) {
      expect(() => throttle(clock, { read: rate })).toThrow(RangeError)
      expect(() => throttle(clock, { write: rate })).toThrow(RangeError)
    }
    expect(() => throttle(clock, { read: 1, burst: 0.5 })).toThrow(RangeError)
  })
})

describe('a token bucket', () => {
  it('begins full, fills at its rate, and never holds more than it can', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket(clock, 100, 50)
    expect(bucket.tokens).toBe(50)
    bucket.take(80)
    expect(bucket.tokens).toBe(-30)
    const served: string[] = []
    bucket.wait(10, () => served.push(`ten at ${clock.now()}`))
    bucket.wait(0, () => served.push(`none at ${clock.now()}`))
    const giveUp = bucket.wait(20, () => served.push('never'))
    bucket.wait(50, () => served.push(`fifty at ${clock.now()}`))
    expect(bucket.awaited).toBe(true)
    giveUp()
    clock.advance(300)
    expect(bucket.tokens).toBe(0)
    clock.advance(10_000)
    expect(served).toEqual(['ten at 400', 'none at 400', 'fifty at 800'])
    expect(bucket.tokens).toBe(50)
    expect(bucket.awaited).toBe(false)
    expect(clock.pending()).toEqual([])
  })

  it('has no timer for those who have given up', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket(clock, 100, 50)
    bucket.take(60)
    const giveUp = [bucket.wait(0, () => {}), bucket.wait(0, () => {})]
    expect(clock.pending()).toHaveLength(1)
    for (const each of giveUp) each()
    expect(clock.pending()).toEqual([])
  })
})
