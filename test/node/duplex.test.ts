/** Node's streams as connections, and connections as Node's streams: what the contract does not say. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Duplex, duplexPair, PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import * as fc from 'fast-check'
import {
  ConnectionAborted,
  ConnectionDone,
  ConnectionLost,
  IPv4Address,
  ProcessAddress,
  TCPClientEndpoint,
  connectProtocol,
} from 'couplet'
import { DuplexProtocol, fromDuplex, NodeReactor, toDuplex } from 'couplet/node'
import { Sim } from 'couplet/sim'
import { pattern, Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reports } from '../reports.ts'
import { Loopback, turns, until } from './loopback.ts'
import { MemoryDuplex } from './memory-duplex.ts'

const reactor = new NodeReactor()

/** A witness on one of two streams in memory, and the other stream. */
function witnessed(witness = new Witness(), options: { autoDestroy?: boolean; emitClose?: boolean } = {}) {
  const [near, far] = MemoryDuplex.pair(options)
  far.on('error', () => {})
  const connection = fromDuplex(near, { reactor })
  connection.deliverTo(witness)
  return { near, far, witness, connection }
}

describe('fromDuplex', () => {
  it('runs a protocol on the pipes of a child process', async () => {
    const script = "process.stdin.on('data', (d) => process.stdout.write(String(d).toUpperCase()))"
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    const pipes = Duplex.from({ readable: child.stdout, writable: child.stdin })
    const peer = new ProcessAddress('shout')
    const witness = new Witness({
      made(self) {
        self.transport.write('hello, ')
        self.transport.write('child')
        self.transport.loseWriteConnection()
      },
      readLost() {},
    })
    const connection = fromDuplex(pipes, { peer })
    connection.deliverTo(witness)
    const reason = await connection.whenLost()
    expect(witness.text).toBe('HELLO, CHILD')
    expect(reason).toBeInstanceOf(ConnectionDone)
    expect(connection.peer).toBe(peer)
    expect(witness.complaints).toEqual([])
  })

  it("runs on Node's own pair of streams", async () => {
    const [one, other] = duplexPair()
    const near = new Witness({
      made: (self) => self.transport.write(pattern(300_000)),
      data: (self) => self.transport.loseConnection(),
    })
    const far = new Witness({ data: (self) => void (self.size === 300_000 && self.transport.write('thanks')) })
    const ends = [fromDuplex(one, { reactor }), fromDuplex(other, { reactor })] as const
    ends[0].deliverTo(near)
    ends[1].deliverTo(far)
    const reasons = await Promise.all(ends.map((end) => end.whenLost()))
    expect(reasons).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
    expect([near.text, far.size]).toEqual(['thanks', 300_000])
  })

  it('resets the socket when it is one', async () => {
    const net = new Loopback()
    const [dialed, socket] = await net.withSocket()
    const witness = new Witness()
    dialed.deliverTo(witness)
    const connection = fromDuplex(socket, { reactor: net.reactor })
    connection.deliverTo(new Witness())
    connection.abortConnection()
    expect((await dialed.whenLost()).name).toBe('ConnectionLost')
    expect(await connection.whenLost()).toBeInstanceOf(ConnectionAborted)
  })

  it.each<[what: string, stream: () => Duplex, message: RegExp]>([
    ['of objects', () => new PassThrough({ readableObjectMode: true }), /carries objects/],
    ['of objects to be written', () => new PassThrough({ writableObjectMode: true }), /carries objects/],
    ['of text', () => new PassThrough({ encoding: 'utf8' }), /decodes them \(setEncoding\)/],
    ['that was destroyed', () => new PassThrough().destroy(), /has ended already/],
    ['that takes no more', () => new PassThrough().end(), /has ended already/],
  ])('refuses a stream %s', (_what, stream, message) => {
    expect(() => fromDuplex(stream())).toThrow(message)
  })

  it('ends as ConnectionLost with the error of its stream as the cause', async () => {
    const { near, connection } = witnessed()
    const error = new Error('the tunnel has collapsed')
    near.destroy(error)
    const reason = await connection.whenLost()
    expect(reason).toBeInstanceOf(ConnectionLost)
    expect(reason.cause).toBe(error)
    expect(reason.message).toBe('unix:(unnamed): connection lost: the tunnel has collapsed')
  })

  it('is never a clean end when somebody else destroys the stream', async () => {
    const { near, connection, witness } = witnessed(new Witness({ writeLost() {} }))
    connection.loseWriteConnection()
    await until(() => witness.calls.includes('writeLost'))
    near.destroy()
    const reason = await connection.whenLost()
    expect(reason.name).toBe('ConnectionLost')
    expect((reason.cause as Error).message).toBe('the stream was closed before it had ended')
  })

  it.each([{ autoDestroy: false }, { emitClose: false }, { autoDestroy: false, emitClose: false }])(
    'ends over a stream that says little of its end: %j',
    async (options) => {
      const clean = witnessed(new Witness({ data: (self) => self.transport.loseConnection() }), options)
      clean.far.write('that is all')
      clean.far.resume().end()
      expect(await clean.connection.whenLost()).toBeInstanceOf(ConnectionDone)
      const aborted = witnessed(new Witness(), options)
      aborted.connection.abortConnection()
      expect(await aborted.connection.whenLost()).toBeInstanceOf(ConnectionAborted)
      expect([clean.near.destroyed, aborted.near.destroyed]).toEqual([true, true])
    },
  )

  it('delivers a large chunk in pieces, and pauses between them', async () => {
    const { far, witness, connection } = witnessed(new Witness({ data: (self) => self.transport.pauseProducing() }))
    far.write(pattern(200_000))
    await turns(5)
    expect(witness.size).toBe(65_536)
    while (witness.size < 200_000) {
      connection.resumeProducing()
      await turns(5)
    }
    expect(witness.bytes).toEqual(pattern(200_000))
    expect(witness.chunks.map((chunk) => chunk.length)).toEqual([65_536, 65_536, 65_536, 3392])
  })

  it('says no to TLS', async () => {
    await expect(witnessed().connection.startTLS({ role: 'client', serverName: 'example.org' })).rejects.toThrow(
      /knows no TLS/,
    )
  })
})

/** A stream over one end of a TCP connection, and a witness at the other. */
async function streamed(far = new Witness(), options?: { allowHalfOpen?: boolean; highWaterMark?: number }) {
  const net = new Loopback()
  const [nearEnd, farEnd] = await net.pair()
  farEnd.deliverTo(far)
  const stream = toDuplex(nearEnd, options)
  const errors: Error[] = []
  stream.on('error', (error) => errors.push(error))
  return { net, stream, nearEnd, far, farEnd, errors }
}

describe('toDuplex', () => {
  it('ends by halves, and the connection closes when both have ended', async () => {
    const { stream, nearEnd, far, farEnd } = await streamed(
      new Witness({
        readLost(self) {
          self.transport.write('answer')
          self.transport.loseConnection()
        },
      }),
    )
    stream.end('question')
    expect(await text(stream)).toBe('answer')
    expect(far.text).toBe('question')
    expect([await nearEnd.whenLost(), await farEnd.whenLost()]).toEqual([
      expect.any(ConnectionDone),
      expect.any(ConnectionDone),
    ])
    await until(() => stream.closed)
    expect([stream.readableEnded, stream.writableFinished, stream.errored]).toEqual([true, true, null])
  })

  it('goes on writing after the peer has ended, unless it is told otherwise', async () => {
    const open = await streamed(new Witness({ made: (self) => self.transport.loseWriteConnection(), readLost() {} }))
    await once(open.stream.resume(), 'end')
    open.stream.end('still writing')
    await open.farEnd.whenLost()
    expect(open.far.text).toBe('still writing')
    const closed = await streamed(
      new Witness({ made: (self) => self.transport.loseWriteConnection(), readLost() {} }),
      { allowHalfOpen: false },
    )
    closed.stream.resume()
    expect(await closed.farEnd.whenLost()).toBeInstanceOf(ConnectionDone)
  })

  it('holds back the peer when nobody reads, and gives it all to who reads late', async () => {
    const { net, stream, far } = await streamed()
    far.transport.write(pattern(net.plenty))
    far.transport.loseConnection()
    await net.settle()
    expect(far.transport.queued).toBeGreaterThan(0)
    expect(stream.readableLength).toBeLessThan(1 << 20)
    stream.end()
    expect((await read(stream)).equals(pattern(net.plenty))).toBe(true)
  })

  it('holds back who writes when the peer does not read', async () => {
    const { net, stream, nearEnd, far } = await streamed(
      new Witness({ made: (self) => self.transport.pauseProducing() }),
    )
    let written = 0
    stream.write(pattern(net.plenty), () => void written++)
    expect(stream.write('more')).toBe(false)
    await net.settle()
    expect(written).toBe(0)
    expect(nearEnd.queued).toBeLessThanOrEqual(2 * 65_536)
    far.transport.resumeProducing()
    await once(stream, 'drain')
    expect(written).toBe(1)
    stream.end()
    await until(() => far.size === net.plenty + 4)
  })

  it('lets a chunk be used again when it is written', async () => {
    const { stream, far } = await streamed()
    const chunk = Buffer.from(pattern(50_000))
    await new Promise<void>((resolve) => {
      stream.write(chunk, () => resolve())
    })
    chunk.fill(0)
    await until(() => far.size === 50_000)
    expect(far.bytes).toEqual(pattern(50_000))
  })

  it('destroyed with an error aborts the connection with that as the cause', async () => {
    const { stream, nearEnd, farEnd, errors } = await streamed()
    const error = new Error('enough')
    stream.destroy(error)
    await until(() => stream.closed)
    const reason = await nearEnd.whenLost()
    expect(reason).toBeInstanceOf(ConnectionAborted)
    expect(reason.cause).toBe(error)
    expect(errors).toEqual([error])
    expect((await farEnd.whenLost()).name).toBe('ConnectionLost')
  })

  it('destroyed without one is an abort too, because the peer is in the middle of it', async () => {
    const { stream, nearEnd, farEnd, errors } = await streamed()
    stream.destroy()
    await until(() => stream.closed)
    expect((await nearEnd.whenLost()).name).toBe('ConnectionAborted')
    expect((await farEnd.whenLost()).name).toBe('ConnectionLost')
    expect(errors).toEqual([])
  })

  it('is destroyed with the reason when the connection breaks, and so is what was being written', async () => {
    const { net, stream, nearEnd, far } = await streamed(
      new Witness({ made: (self) => self.transport.pauseProducing() }),
    )
    const failed: (Error | null | undefined)[] = []
    stream.write(pattern(net.plenty), (error) => failed.push(error))
    stream.write('and this', (error) => failed.push(error))
    await net.settle()
    far.transport.abortConnection()
    await until(() => stream.closed)
    expect(stream.errored).toBe(await nearEnd.whenLost())
    expect(stream.errored).toBeInstanceOf(ConnectionLost)
    expect(failed).toEqual([expect.any(Error), expect.any(Error)])
  })

  it('aborts the connection when a listener throws, and reports it', async () => {
    const errors = reports()
    const { stream, nearEnd, far } = await streamed()
    const error = new Error('a mistake of the program')
    stream.on('data', () => {
      throw error
    })
    await turns(2)
    far.transport.write('x')
    expect((await nearEnd.whenLost()).cause).toBe(error)
    expect(errors.map((report) => report.error)).toEqual([error])
  })

  it('finishes what it writes when the server stops', async () => {
    const net = new Loopback()
    const streams: Duplex[] = []
    const port = await net.listen((connection) => streams.push(toDuplex(connection).resume()))
    const client = new Witness()
    const dialed = await net.reactor.dial(port.host)
    dialed.deliverTo(client)
    await until(() => streams.length > 0)
    streams[0]?.write('last words')
    await port.stopListening({ drain: 60_000 })
    await dialed.whenLost()
    expect(client.text).toBe('last words')
    expect(client.reason).toBeInstanceOf(ConnectionDone)
  })

  it('is a stream over the simulated network too, in virtual time', async () => {
    const sim = new Sim({ latency: 1000 })
    const server = sim.host('server').reactor
    const opened = server.listen(new IPv4Address('TCP', '10.0.0.1', 0), (connection) => {
      const stream = toDuplex(connection)
      void pipeline(stream, new PassThrough(), stream)
    })
    const port = await sim.runUntil(opened)
    const stream = toDuplex(await sim.runUntil(sim.host('client').reactor.dial(port.host)))
    stream.end(pattern(200_000))
    const back = await sim.runUntil(read(stream))
    expect(back.equals(pattern(200_000))).toBe(true)
    expect(sim.now).toBeGreaterThan(3000)
  })

  it('runs pipelines of other streams, from an endpoint too', async () => {
    const net = new Loopback()
    const port = await net.listen((connection) => {
      const stream = toDuplex(connection)
      void pipeline(stream, createGunzip(), stream)
    })
    const { host } = port
    if (host.kind !== 'IPv4') throw new Error('a Loopback is IPv4')
    const endpoint = new TCPClientEndpoint(net.reactor, host.host, host.port)
    const { stream } = await connectProtocol(endpoint, new DuplexProtocol())
    const zip = createGzip()
    zip.end(pattern(1_000_000))
    const [, back] = await Promise.all([pipeline(zip, stream, { end: true }), read(stream)])
    expect(back.equals(pattern(1_000_000))).toBe(true)
  })
})

describe('a stream over a connection over a stream', () => {
  it('hands on the same bytes both ways, in whatever chunks they are written', async () => {
    const chunks = fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 150_000 })), {
      maxLength: 12,
    })
    const highWaterMark = fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(chunks, chunks, highWaterMark, async (there, back, mark) => {
        const options = mark === undefined ? {} : { highWaterMark: mark }
        const [inner, far] = MemoryDuplex.pair(options)
        const near = toDuplex(fromDuplex(inner, { reactor }), options)
        const sent = [write(near, there), write(far, back)]
        const [atNear, atFar] = await Promise.all([read(near), read(far)])
        expect(atFar.equals(pattern(total(there)))).toBe(true)
        expect(atNear.equals(pattern(total(back)))).toBe(true)
        await Promise.all(sent)
        await until(() => near.closed)
      }),
      { numRuns: 60 },
    )
  })
})

const total = (lengths: readonly number[]): number => lengths.reduce((sum, length) => sum + length, 0)

/** Writes the pattern in chunks of these lengths, as fast as the stream takes them, and ends. */
async function write(stream: Duplex, lengths: readonly number[]): Promise<void> {
  let at = 0
  for (const length of lengths) {
    if (!stream.write(pattern(length, at))) await once(stream, 'drain')
    at += length
  }
  stream.end()
}

/** Reads to the end; `buffer()` of Node's would destroy the other direction, and leave the reader of a Blob open. */
async function read(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}
