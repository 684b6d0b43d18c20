/** The contract of transports, part one: what is written arrives, in order, and a pause holds it back. */
import { describe, expect, it } from 'vitest'
import { type Connection, ConnectionDone, SendQueueOverflow } from 'couplet'
import { connect, isPattern, type MakeWorld, pattern, reports, Witness } from './world.ts'

export function deliversBytes(makeWorld: MakeWorld): void {
  describe('delivers bytes', () => {
    it('tells a protocol that its connection is made before anything else', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { made: (self) => self.transport.write('welcome') })
      await world.settle()
      expect(far.calls).toEqual(['made'])
      expect(near.calls).toEqual(['made', 'data'])
      expect(near.text).toBe('welcome')
    })

    it('keeps what arrives for a protocol that comes late', async () => {
      const world = makeWorld()
      const [nearEnd, farEnd] = await world.pair()
      farEnd.deliverTo(new Witness({ made: (self) => self.transport.write('early') }))
      await world.settle()
      const late = new Witness()
      nearEnd.deliverTo(late)
      expect(late.calls).toEqual(['made'])
      await world.settle()
      expect(late.text).toBe('early')
    })

    it('sends text, bytes small and large, and sequences in the order written', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      near.transport.write('grüße ')
      near.transport.write(new Uint8Array([1, 2, 3]))
      near.transport.write('')
      near.transport.writeSequence([pattern(5000), ' and ', pattern(2048), pattern(2049)])
      await world.settle()
      const expected = new Witness()
      for (const part of [
        new TextEncoder().encode('grüße '),
        [1, 2, 3],
        pattern(5000),
        new TextEncoder().encode(' and '),
      ])
        expected.chunks.push(new Uint8Array(part))
      expected.chunks.push(pattern(2048), pattern(2049))
      expect(far.bytes).toEqual(expected.bytes)
    })

    it('hands out memory that nobody else writes to', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      const sent = pattern(100)
      near.transport.write(sent)
      await world.settle()
      sent.fill(0)
      near.transport.write('something else that is small')
      await world.settle()
      expect(far.bytes.subarray(0, 100)).toEqual(pattern(100))
    })

    it('answers from inside dataReceived, fifty times to and fro', async () => {
      const world = makeWorld()
      const { near, far } = await connect(
        world,
        {
          made: (self) => self.transport.write('x'),
          data: (self) => self.transport.write('x'.repeat(Number(self.size < 50))),
        },
        { data: (self, chunk) => self.transport.write(chunk) },
      )
      await world.settle()
      expect([near.size, far.size]).toEqual([50, 50])
    })

    it('takes several megabytes in both directions at once', async () => {
      const world = makeWorld()
      const limits = { maxSendQueue: 8 << 20, readWhileFull: true }
      const { near, far } = await connect(world, {}, {}, { near: limits, far: limits })
      for (const end of [near, far])
        for (let at = 0; at < 2 << 20; at += 1 << 16) end.transport.write(pattern(1 << 16, at))
      await world.settle()
      expect([near.size, far.size]).toEqual([2 << 20, 2 << 20])
      expect(isPattern(near.bytes) && isPattern(far.bytes)).toBe(true)
    })

    it('says who is at the ends', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      expect(near.transport.peer.equals(far.transport.host)).toBe(true)
      expect(far.transport.peer.equals(near.transport.host)).toBe(true)
    })

    it('counts what waits, and forgets it when it has left', async () => {
      const world = makeWorld()
      const { near } = await connect(world)
      near.transport.write(pattern(1000))
      expect(near.transport.queued).toBe(1000)
      await world.settle()
      expect(near.transport.queued).toBe(0)
    })
  })

  describe('takes one protocol', () => {
    it('refuses a second one', async () => {
      const { nearEnd } = await connect(makeWorld())
      expect(() => nearEnd.deliverTo(new Witness())).toThrow(/has its protocol already/)
    })

    it.each<[how: string, end: (connection: Connection) => void]>([
      ['we aborted it', (connection) => connection.abortConnection()],
      ['we closed it', (connection) => connection.loseConnection()],
    ])('refuses one after the end, with the reason: %s', async (_how, end) => {
      const world = makeWorld()
      const [nearEnd, farEnd] = await world.pair()
      farEnd.deliverTo(new Witness())
      end(nearEnd)
      await world.settle()
      const late = new Witness()
      const whenLost = await nearEnd.whenLost()
      expect(() => nearEnd.deliverTo(late)).toThrow(whenLost)
      expect(late.calls).toEqual([])
    })
  })

  describe('pauses', () => {
    it('strictly: nothing comes until resumeProducing, not even the end', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { made: (self) => self.transport.pauseProducing() })
      near.transport.write(pattern(10_000))
      near.transport.loseConnection()
      await world.settle()
      expect(far.calls).toEqual(['made'])
      far.transport.resumeProducing()
      expect(far.calls).toEqual(['made'])
      await world.settle()
      expect(far.calls).toEqual(['made', 'data', 'inputEnded', 'lost'])
      expect(far.bytes).toEqual(pattern(10_000))
      expect(far.reason).toBeInstanceOf(ConnectionDone)
      expect(near.reason).toBeInstanceOf(ConnectionDone)
    })

    it('in the middle of what has arrived already', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { data: (self) => self.transport.pauseProducing() })
      near.transport.write(pattern(300_000))
      await world.settle()
      let before = 0
      while (far.size < 300_000) {
        expect(far.size).toBeGreaterThan(before)
        expect(far.size - before).toBeLessThanOrEqual(65_536)
        before = far.size
        far.transport.resumeProducing()
        await world.settle()
      }
      expect(isPattern(far.bytes)).toBe(true)
    })

    it('and holds the sender back once the buffers are full', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, {}, { near: { maxSendQueue: 4 * world.plenty } })
      far.transport.pauseProducing()
      near.transport.write(pattern(world.plenty))
      await world.settle()
      expect(near.transport.queued).toBeGreaterThan(world.plenty / 4)
      far.transport.resumeProducing()
      await world.settle()
      expect(near.transport.queued).toBe(0)
      expect(far.size).toBe(world.plenty)
    })

    it('as often as one likes, and resuming without a pause does nothing', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      far.transport.resumeProducing()
      far.transport.pauseProducing()
      far.transport.pauseProducing()
      far.transport.resumeProducing()
      near.transport.write('through')
      await world.settle()
      expect(far.text).toBe('through')
    })
  })

  describe('bounds what waits', () => {
    it('stops reading when more than 64 KiB wait, so that a peer that never reads stalls only itself', async () => {
      const world = makeWorld()
      // An echo server, and a client that writes and writes and does not read.
      const { near, far, farEnd } = await connect(
        world,
        { made: (self) => self.transport.pauseProducing() },
        { data: (self, chunk) => self.transport.write(chunk) },
        { near: { maxSendQueue: 4 * world.plenty, readWhileFull: true } },
      )
      near.transport.write(pattern(world.plenty))
      await world.settle()
      expect(far.losses).toBe(0)
      expect(farEnd.queued).toBeGreaterThan(0)
      expect(farEnd.queued).toBeLessThan(64 * 1024 + 65_536 + 1)
      near.transport.resumeProducing()
      await world.settle()
      expect(near.size).toBe(world.plenty)
      expect(isPattern(near.bytes)).toBe(true)
    })

    it('aborts a connection with more than maxSendQueue, and says how much that was', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world, {}, { made: (self) => self.transport.pauseProducing() })
      const transport = near.transport
      for (let written = 0; written < 1000 && !transport.disconnected; written++) {
        transport.write(pattern(64 * 1024))
        await world.settle()
      }
      await world.settle()
      expect(near.losses).toBe(1)
      const cause = near.reason?.cause as SendQueueOverflow
      expect(near.reason?.name).toBe('ConnectionAborted')
      expect(cause).toBeInstanceOf(SendQueueOverflow)
      expect(cause.limit).toBe(1 << 20)
      expect(cause.offered).toBeGreaterThan(1 << 20)
      expect(cause.offered).toBeLessThanOrEqual((1 << 20) + 64 * 1024)
      expect(cause.message).toContain(`${cause.offered}`)
      far.transport.resumeProducing()
      await world.settle()
      expect(far.reason?.name).toBe('ConnectionLost')
    })

    it('lets a single write onto an empty queue be larger', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      near.transport.write(pattern(2 << 20))
      await world.settle()
      expect(far.size).toBe(2 << 20)
      expect(near.losses).toBe(0)
    })

    it('does not abort what leaves at once, however much it is in a turn', async () => {
      const world = makeWorld()
      const errors = reports()
      const { near, far } = await connect(world, {}, {}, { near: { maxSendQueue: 1000 } })
      near.transport.write(pattern(600))
      near.transport.write(pattern(600))
      await world.settle()
      expect(near.reason?.cause).toBeInstanceOf(SendQueueOverflow)
      expect(far.size).toBe(0)
      expect(errors).toEqual([])
    })
  })
}
