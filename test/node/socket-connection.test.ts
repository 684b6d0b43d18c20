/** What only real sockets can do to a connection: resets at every moment, system calls, and what Node makes of them. */
import { once } from 'node:events'
import { Socket } from 'node:net'
import {
  type Connection,
  ConnectionAborted,
  ConnectionDone,
  ConnectionLost,
  Deferred,
  LingerTimeout,
  SendQueueOverflow,
} from 'couplet'
import { isPattern, pattern, Witness } from 'couplet/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { reports } from '../reports.ts'
import { Loopback, ReactorByHand, socketTo, turns, until } from './loopback.ts'

/** Reads a raw socket to its end. */
async function readAll(socket: Socket): Promise<{ bytes: Uint8Array; error: string | undefined }> {
  const chunks: Buffer[] = []
  let error: string | undefined
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', (reset: NodeJS.ErrnoException) => {
    error = reset.code
  })
  socket.once('end', () => socket.end())
  socket.resume()
  await once(socket, 'close')
  return { bytes: Buffer.concat(chunks), error }
}

describe('loseConnection', () => {
  it('delivers 4 MiB although the peer has sent 200 KiB that nobody read', async () => {
    const net = new Loopback()
    const [near, far] = await net.pair({ near: { maxSendQueue: 8 << 20 } })
    const reader = new Witness({ made: (self) => self.transport.write(pattern(200 << 10)) })
    far.deliverTo(reader)
    const writer = new Witness({
      made(self) {
        self.transport.pauseProducing()
        self.transport.write(pattern(4 << 20))
        self.transport.loseConnection()
      },
    })
    near.deliverTo(writer)
    const [nearReason, farReason] = await Promise.all([near.whenLost(), far.whenLost()])
    expect(reader.size).toBe(4 << 20)
    expect(isPattern(reader.bytes)).toBe(true)
    expect([nearReason.name, farReason.name]).toEqual(['ConnectionDone', 'ConnectionDone'])
    expect(writer.calls).toEqual(['made', 'lost'])
  })

  it('ends with LingerTimeout when the peer takes nothing for the time of linger', async () => {
    const net = new Loopback()
    const [near] = await net.withSocket({ maxSendQueue: 64 << 20, linger: 30 })
    const writer = new Witness({ made: (self) => self.transport.write(pattern(32 << 20)) })
    near.deliverTo(writer)
    near.loseConnection()
    const reason = await near.whenLost()
    expect(reason).toBeInstanceOf(ConnectionLost)
    expect(reason.cause).toBeInstanceOf(LingerTimeout)
    expect(net.reactor.stats()).toMatchObject({ open: 0, timers: 0 })
  })

  it('waits for a peer that reads slowly, and gives up on it when it has stopped', async () => {
    const reactor = new ReactorByHand()
    const net = new Loopback(reactor)
    const [near, socket] = await net.withSocket({ maxSendQueue: 64 << 20 })
    const writer = new Witness({ made: (self) => self.transport.write(pattern(48 << 20)) })
    near.deliverTo(writer)
    near.loseConnection()
    await turns(3)
    for (let period = 0; period < 3; period++) {
      // So much that its kernel asks ours for more.
      for (let size = 0; size < 4 << 20;) {
        const chunk = socket.read() as Buffer | null
        if (chunk === null) await once(socket, 'readable')
        else size += chunk.length
      }
      await net.settle()
      reactor.clock.advance(5000)
      await turns(3)
      expect(near.disconnected).toBe(false)
    }
    // It may have taken a little since the clock last looked.
    reactor.clock.advance(10_000)
    const reason = await near.whenLost()
    expect(reason.cause).toBeInstanceOf(LingerTimeout)
  })

  it('ends cleanly when the peer has all, but never closes', async () => {
    const reactor = new ReactorByHand()
    const net = new Loopback(reactor)
    const [near, socket] = await net.withSocket({ linger: 30 })
    near.deliverTo(new Witness({ made: (self) => self.transport.write('all') }))
    near.loseConnection()
    await net.settle()
    reactor.clock.advance(29)
    expect(near.disconnected).toBe(false)
    reactor.clock.advance(1)
    expect(await near.whenLost()).toBeInstanceOf(ConnectionDone)
    expect((await readAll(socket)).bytes.toString()).toBe('all')
  })

  it('stops listening to a peer that sends more than 1 MiB after our end', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket({ linger: 60_000 })
    near.deliverTo(new Witness())
    near.loseConnection()
    const more = (): void => {
      while (socket.writable && socket.write(pattern(1 << 16)));
    }
    socket.on('drain', more)
    more()
    expect(await near.whenLost()).toBeInstanceOf(ConnectionDone)
  })
})

describe('abortConnection', () => {
  it.each<[when: string, prepare: (near: Connection) => void | Promise<void>]>([
    ['at once', () => {}],
    ['with bytes that the kernel has not taken', (near) => near.write(pattern(16 << 20))],
    ['right after loseWriteConnection', (near) => near.loseWriteConnection()],
    ['right after loseConnection', (near) => near.loseConnection()],
    ['a tick after loseConnection', (near) => (near.loseConnection(), Promise.resolve())],
    ['a turn after loseConnection', (near) => (near.loseConnection(), turns(1))],
    ['while paused', (near) => near.pauseProducing()],
  ])('resets the connection and frees the socket: %s', async (_when, prepare) => {
    const net = new Loopback()
    const [near, far] = await net.pair({ near: { maxSendQueue: 64 << 20 } })
    // A peer that does not close by itself when it hears our FIN.
    const peer = new Witness({ readLost: () => {} })
    far.deliverTo(peer)
    const here = new Witness()
    near.deliverTo(here)
    await prepare(near)
    const cause = new Error('enough')
    near.abortConnection(cause)
    near.abortConnection()
    near.loseConnection()
    expect(here.losses).toBe(0)
    const [nearReason] = await Promise.all([near.whenLost(), turns(3)])
    expect(here.losses).toBe(1)
    expect(nearReason).toBeInstanceOf(ConnectionAborted)
    expect(nearReason.cause).toBe(cause)
    // A peer that has heard the FIN reads no more, so it learns of the reset when it writes.
    while (peer.losses === 0) {
      peer.transport.write('x')
      await turns(3)
    }
    expect((await far.whenLost()).name).toBe('ConnectionLost')
    expect(peer.losses).toBe(1)
    expect(net.reactor.stats().open).toBe(0)
  })
})

describe('a peer that resets', () => {
  it.each<[when: string, prepare: (near: Connection) => void | Promise<void>]>([
    ['at once', () => {}],
    ['while we are paused', (near) => near.pauseProducing()],
    ['after our loseWriteConnection', (near) => (near.loseWriteConnection(), turns(3))],
    ['after our loseConnection', (near) => (near.loseConnection(), turns(3))],
    ['while we have much to send', (near) => near.write(pattern(16 << 20))],
  ])('is a ConnectionLost, told once: %s', async (_when, prepare) => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket({ maxSendQueue: 64 << 20 })
    const witness = new Witness()
    near.deliverTo(witness)
    await prepare(near)
    socket.resetAndDestroy()
    const reason = await near.whenLost()
    expect(reason.name).toBe('ConnectionLost')
    expect(reason.message).toMatch(/^127\.0\.0\.1:\d+: connection lost: the peer (reset it|had closed it)/)
    expect(['ECONNRESET', 'EPIPE']).toContain((reason.cause as NodeJS.ErrnoException).code)
    expect(witness.calls).toEqual(['made', 'lost'])
  })

  it('before anybody listens to the connection makes deliverTo throw the reason', async () => {
    const net = new Loopback()
    const accepted = new Deferred<Connection>()
    const port = await net.listen((connection) => accepted.callback(connection))
    const socket = await socketTo(port)
    const connection = await accepted
    socket.resetAndDestroy()
    const reason = await connection.whenLost()
    expect(reason.name).toBe('ConnectionLost')
    expect(() => connection.deliverTo(new Witness())).toThrow(reason)
    expect(port.connections).toBe(0)
  })

  // On Node 20 and 22 the stream of such a socket ends as if all were well.
  it.each<[when: string, prepare: (near: Connection) => void]>([
    ['while we may still speak', () => {}],
    ['after our loseWriteConnection', (near) => near.loseWriteConnection()],
  ])('in the middle of a download never looks like the end of it: %s', async (_when, prepare) => {
    const net = new Loopback()
    for (let attempt = 0; attempt < 20; attempt++) {
      const [near, socket] = await net.withSocket()
      const witness = new Witness({ data: () => spin(0.3) })
      near.deliverTo(witness)
      prepare(near)
      socket.write(pattern(2 << 20))
      setTimeout(() => socket.resetAndDestroy(), 3)
      const reason = await near.whenLost()
      expect([reason.name, witness.calls.includes('inputEnded')]).toEqual(['ConnectionLost', false])
    }
  })
})

describe('a peer that closes', () => {
  it('and answers what we still send with a reset has said all it wanted', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket()
    const witness = new Witness({ made: (self) => self.transport.pauseProducing() })
    near.deliverTo(witness)
    socket.end(pattern(50_000))
    await once(socket, 'finish')
    socket.destroy()
    near.write('too late')
    await net.settle()
    near.resumeProducing()
    expect(await near.whenLost()).toBeInstanceOf(ConnectionDone)
    expect(witness.size).toBe(50_000)
  })

  it('gets what is still to be sent, first', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket({ maxSendQueue: 16 << 20 })
    const witness = new Witness({ made: (self) => self.transport.write(pattern(8 << 20)) })
    near.deliverTo(witness)
    socket.end()
    const { bytes, error } = await readAll(socket)
    expect([bytes.length, isPattern(bytes), error]).toEqual([8 << 20, true, undefined])
    expect(await near.whenLost()).toBeInstanceOf(ConnectionDone)
    expect(witness.calls).toEqual(['made', 'inputEnded', 'lost'])
  })

  it('only its sending side hears the answer that comes later', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket()
    near.deliverTo(
      new Witness({
        readLost: (self) =>
          void net.reactor.callLater(5, () => {
            self.transport.write('the answer')
            self.transport.loseConnection()
          }),
      }),
    )
    socket.end('the question')
    expect((await readAll(socket)).bytes.toString()).toBe('the answer')
    expect(await near.whenLost()).toBeInstanceOf(ConnectionDone)
  })

  it('without having said a word ends cleanly', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket()
    const witness = new Witness()
    near.deliverTo(witness)
    socket.end()
    expect(await near.whenLost()).toBeInstanceOf(ConnectionDone)
    expect(witness.calls).toEqual(['made', 'inputEnded', 'lost'])
  })
})

describe('writes of one turn', () => {
  /** Counts how often Node is asked to write, by any socket. */
  function countWrites(): () => number {
    const one = vi.spyOn(Socket.prototype, '_write')
    const several = vi.spyOn(Socket.prototype, '_writev' as '_write')
    onTestFinished(() => void vi.restoreAllMocks())
    return () => one.mock.calls.length + several.mock.calls.length
  }

  it.each([
    ['in a hook', (near: Connection, work: () => void) => near.deliverTo(new Witness({ made: work }))],
    [
      'outside of any',
      (near: Connection, work: () => void) => {
        near.deliverTo(new Witness())
        work()
      },
    ],
  ])('leave together: 5,000 small ones %s', async (_where, run) => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket()
    const writes = countWrites()
    run(near, () => {
      for (let index = 0; index < 5000; index++) near.write(pattern(10, index * 10))
      near.loseConnection()
    })
    const { bytes } = await readAll(socket)
    expect([bytes.length, isPattern(bytes)]).toEqual([50_000, true])
    expect(writes()).toBe(1)
  })

  it('leave together though large pieces, which are not copied, are among them', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket()
    near.deliverTo(new Witness())
    const writes = countWrites()
    for (let at = 0, size = 1; at < 60_000; at += size, size = (size * 7) % 5000) near.write(pattern(size, at))
    near.loseConnection()
    const { bytes } = await readAll(socket)
    expect(bytes.length).toBeGreaterThanOrEqual(60_000)
    expect(isPattern(bytes)).toBe(true)
    expect(writes()).toBe(1)
  })

  it('leave together from an await on, too', async () => {
    const net = new Loopback()
    const [near, socket] = await net.withSocket()
    near.deliverTo(new Witness())
    const writes = countWrites()
    await Promise.resolve()
    near.write('one ')
    await Promise.resolve()
    near.write('two ')
    await Promise.resolve()
    near.write('three')
    expect(writes()).toBe(0)
    near.loseConnection()
    expect((await readAll(socket)).bytes.toString()).toBe('one two three')
    expect(writes()).toBe(1)
  })

  it('keep their bytes when the kernel is full and others write meanwhile', async () => {
    const net = new Loopback()
    const pairs = await Promise.all(Array.from({ length: 4 }, () => net.withSocket({ maxSendQueue: 64 << 20 })))
    for (const [near] of pairs) near.deliverTo(new Witness())
    for (let round = 0, at = 0; at < 12 << 20; round++) {
      const size = [1, 7, 9, 900, 2048, 2049, 70_000][round % 7] ?? 0
      for (const [near] of pairs) near.write(pattern(size, at))
      at += size
      if (round % 50 === 0) await turns(1)
    }
    for (const [near] of pairs) near.loseConnection()
    for (const { bytes } of await Promise.all(pairs.map(([, socket]) => readAll(socket)))) {
      expect(bytes.length).toBeGreaterThanOrEqual(12 << 20)
      expect(isPattern(bytes)).toBe(true)
    }
  })
})

describe('a queue', () => {
  it('that a peer never reads from is bounded', async () => {
    const net = new Loopback()
    const [near] = await net.withSocket()
    const witness = new Witness()
    near.deliverTo(witness)
    while (!near.disconnected) {
      near.write(pattern(50_000))
      expect(near.queued).toBeLessThanOrEqual((1 << 20) + 50_000)
      await turns(1)
    }
    const reason = await near.whenLost()
    expect(reason).toBeInstanceOf(ConnectionAborted)
    expect(reason.cause).toBeInstanceOf(SendQueueOverflow)
    expect(near.queued).toBe(0)
  })
})

describe('a hook that throws', () => {
  it.each([
    ['an array', [1, 2, 3]],
    ['an object', { length: 3 }],
    ['wider numbers', new Uint16Array(3)],
    ['a number', 5],
  ])('because it wrote %s, does not disturb what others write', async (_what, data) => {
    const net = new Loopback()
    const errors = reports()
    const [near, socket] = await net.withSocket()
    const [other, otherSocket] = await net.withSocket()
    other.deliverTo(new Witness())
    near.deliverTo(
      new Witness({
        data(self) {
          other.write('before, ')
          self.transport.write(data as unknown as string)
        },
      }),
    )
    socket.write('go')
    expect((await near.whenLost()).cause).toBeInstanceOf(TypeError)
    other.write('after')
    other.loseConnection()
    expect((await readAll(otherSocket)).bytes.toString()).toBe('before, after')
    expect(errors.map(({ error }) => (error as Error).message)).toEqual([
      expect.stringMatching(/^write takes a Uint8Array or a string, not /),
    ])
  })

  it('ends its own connection only, and is reported once', async () => {
    const net = new Loopback()
    const errors = reports()
    const broken = new Error('broken')
    const port = await net.serve(
      () =>
        new Witness({
          data(self, chunk) {
            if (chunk.includes(33)) throw broken
            self.transport.write(chunk)
          },
        }),
    )
    const [good, bad] = [await net.reactor.dial(port.host), await net.reactor.dial(port.host)]
    const [goodOne, badOne] = [new Witness(), new Witness()]
    good.deliverTo(goodOne)
    bad.deliverTo(badOne)
    bad.write('boom!')
    expect((await bad.whenLost()).name).toBe('ConnectionLost')
    good.write('still here')
    await until(() => goodOne.text === 'still here')
    expect(errors.map(({ error }) => error)).toEqual([broken])
    good.abortConnection()
  })
})

/** Keeps the program busy, so that more arrives meanwhile. */
function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}
