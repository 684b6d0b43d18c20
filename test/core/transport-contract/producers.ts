/** The contract of transports, part three: producers are held back, asked again, and told when it is over. */
import { describe, expect, it } from 'vitest'
import { ConnectionAborted, ConnectionDone, type PullProducer, type PushProducer, type Transport } from 'couplet'
import { connect, type Ends, isPattern, type MakeWorld, pattern, reports, type TransportWorld } from './world.ts'

/** Writes as fast as it may, piece by piece, and complains when it is told things in a wrong order. */
class Fountain implements PushProducer {
  readonly calls: string[] = []
  readonly #transport: Transport
  readonly #piece: number
  paused = false
  written = 0

  constructor(transport: Transport, piece = 10_000) {
    this.#transport = transport
    this.#piece = piece
  }

  /** Writes until it is paused, or has written so much. */
  run(most = Infinity): void {
    while (!this.paused && this.written < most && !this.calls.includes('stop')) {
      const size = Math.min(this.#piece, most - this.written)
      const bytes = pattern(size, this.written)
      this.written += size
      this.#transport.write(bytes)
    }
  }

  pauseProducing(): void {
    this.#tell('pause', !this.paused)
    this.paused = true
  }

  resumeProducing(): void {
    this.#tell('resume', this.paused)
    this.paused = false
  }

  stopProducing(): void {
    this.#tell('stop', true)
  }

  #tell(call: string, expected: boolean): void {
    this.calls.push(expected && !this.calls.includes('stop') ? call : `${call}, wrongly`)
  }
}

/** A connection whose far side does not read. */
async function stuck(world: TransportWorld): Promise<Ends> {
  return connect(world, {}, { made: (self) => self.transport.pauseProducing() })
}

/** The far side reads all there is. */
async function drain(world: TransportWorld, { far }: Ends): Promise<void> {
  far.transport.resumeProducing()
  await world.settle()
}

export function holdsProducersBack(makeWorld: MakeWorld): void {
  describe('a push producer', () => {
    it('is paused above 64 KiB, not at it, and resumed when nothing waits', async () => {
      const world = makeWorld()
      const ends = await stuck(world)
      const { transport } = ends.near
      const fountain = new Fountain(transport)
      transport.registerProducer(fountain, true)
      transport.write(pattern(65_536))
      expect(fountain.calls).toEqual([])
      transport.write(pattern(1))
      expect(fountain.calls).toEqual(['pause'])
      transport.write(pattern(world.plenty / 2))
      expect(fountain.calls).toEqual(['pause'])
      await drain(world, ends)
      expect(fountain.calls).toEqual(['pause', 'resume'])
      expect(transport.queued).toBe(0)
    })

    it('is told pause and resume in turns, never twice, and all it writes arrives', async () => {
      const world = makeWorld()
      const ends = await connect(world)
      const { transport } = ends.near
      class Refilling extends Fountain {
        override resumeProducing(): void {
          super.resumeProducing()
          this.run(world.plenty)
        }
      }
      const fountain = new Refilling(transport)
      transport.registerProducer(fountain, true)
      fountain.run(world.plenty)
      await world.settle()
      expect(fountain.calls.length).toBeGreaterThan(6)
      expect(fountain.calls.filter((call) => call.includes('wrongly'))).toEqual([])
      expect(ends.far.size).toBe(world.plenty)
      expect(isPattern(ends.far.bytes)).toBe(true)
    })

    it('may write from inside pauseProducing and resumeProducing', async () => {
      const world = makeWorld()
      const ends = await stuck(world)
      const { transport } = ends.near
      class Chatty extends Fountain {
        override pauseProducing(): void {
          super.pauseProducing()
          transport.write('I am paused')
        }
        override resumeProducing(): void {
          super.resumeProducing()
          transport.write('I go on')
        }
      }
      const fountain = new Chatty(transport)
      transport.registerProducer(fountain, true)
      fountain.run()
      await drain(world, ends)
      expect(fountain.calls).toEqual(['pause', 'resume'])
      expect(ends.far.size).toBe(fountain.written + 'I am pausedI go on'.length)
    })

    it('keeps loseConnection waiting until it is unregistered', async () => {
      const world = makeWorld()
      const ends = await connect(world)
      const { transport } = ends.near
      const fountain = new Fountain(transport)
      transport.registerProducer(fountain, true)
      transport.write('first')
      transport.loseConnection()
      await world.settle()
      transport.write(', then second')
      await world.settle()
      expect([ends.near.losses, ends.far.losses]).toEqual([0, 0])
      expect(ends.far.text).toBe('first, then second')
      transport.unregisterProducer()
      transport.write(', but no third')
      await world.settle()
      expect(ends.far.text).toBe('first, then second')
      expect([ends.near.reason, ends.far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
      expect(fountain.calls).toEqual([])
    })

    it('keeps loseWriteConnection waiting too', async () => {
      const world = makeWorld()
      const ends = await connect(world, {}, { readLost: () => {} })
      const { transport } = ends.near
      transport.registerProducer(new Fountain(transport), true)
      transport.loseWriteConnection()
      transport.write('still open')
      await world.settle()
      expect(ends.far.calls).toEqual(['made', 'data'])
      transport.unregisterProducer()
      await world.settle()
      expect(ends.far.calls).toEqual(['made', 'data', 'inputEnded', 'readLost'])
    })

    it.each<[how: string, end: (ends: Ends) => void]>([
      ['we abort', ({ near }) => near.transport.abortConnection()],
      ['the peer resets', ({ far }) => far.transport.abortConnection()],
    ])('is stopped exactly once, before connectionLost, when %s', async (_how, end) => {
      const world = makeWorld()
      const order: string[] = []
      const ends = await connect(world, { lost: () => void order.push('connectionLost') })
      const { transport } = ends.near
      const fountain = new Fountain(transport)
      transport.registerProducer(
        {
          pauseProducing: () => fountain.pauseProducing(),
          resumeProducing: () => fountain.resumeProducing(),
          stopProducing() {
            order.push('stopProducing')
            transport.unregisterProducer()
          },
        },
        true,
      )
      end(ends)
      await world.settle()
      transport.unregisterProducer()
      expect(order).toEqual(['stopProducing', 'connectionLost'])
    })

    it('is one at a time', async () => {
      const { near } = await connect(makeWorld())
      const first = new Fountain(near.transport)
      near.transport.registerProducer(first, true)
      expect(() => near.transport.registerProducer(new Fountain(near.transport), true)).toThrow(/registered already/)
      near.transport.unregisterProducer()
      near.transport.registerProducer(new Fountain(near.transport), true)
      expect(first.calls).toEqual([])
    })

    it.each<[when: string, end: (transport: Transport) => void]>([
      ['closing', (transport) => transport.loseConnection()],
      ['half closed', (transport) => transport.loseWriteConnection()],
      ['aborted', (transport) => transport.abortConnection()],
    ])('that comes too late, when the connection is %s, is stopped and not registered', async (_when, end) => {
      const world = makeWorld()
      const { near } = await connect(world)
      end(near.transport)
      for (const late of [new Fountain(near.transport), new Fountain(near.transport)]) {
        near.transport.registerProducer(late, true)
        expect(late.calls).toEqual(['stop'])
      }
      await world.settle()
      const later = new Fountain(near.transport)
      near.transport.registerProducer(later, true)
      expect(later.calls).toEqual(['stop'])
    })

    it('is not resumed unless it was paused', async () => {
      const world = makeWorld()
      const { near } = await connect(world)
      const fountain = new Fountain(near.transport)
      near.transport.registerProducer(fountain, true)
      near.transport.write(pattern(60_000))
      await world.settle()
      expect(fountain.calls).toEqual([])
    })

    it('may be another transport: what comes in goes out, at the speed of the slower one', async () => {
      const world = makeWorld()
      const source = await connect(world, {}, {}, { near: { maxSendQueue: 2 * world.plenty } })
      const sink = await connect(
        world,
        {},
        { made: (self) => self.transport.pauseProducing() },
        { near: { maxSendQueue: 200_000 } },
      )
      sink.near.transport.registerProducer(source.far.transport, true)
      source.far.dataReceived = (chunk) => sink.near.transport.write(chunk)
      source.near.transport.write(pattern(world.plenty))
      await world.settle()
      expect(source.near.transport.queued).toBeGreaterThan(0)
      await drain(world, sink)
      expect(sink.far.size).toBe(world.plenty)
      expect(isPattern(sink.far.bytes)).toBe(true)
    })
  })

  describe('a pull producer', () => {
    /** Writes one piece whenever it is asked. */
    class Bucket implements PullProducer {
      asked = 0
      stops = 0
      readonly #transport: Transport
      readonly #pieces: number
      readonly #size: number

      constructor(transport: Transport, pieces: number, size = 10_000) {
        this.#transport = transport
        this.#pieces = pieces
        this.#size = size
      }

      resumeProducing(): void {
        if (this.asked === this.#pieces) throw new Error('asked again after the last piece')
        this.#transport.write(pattern(this.#size, this.asked * this.#size))
        this.asked++
        if (this.asked === this.#pieces) {
          this.#transport.unregisterProducer()
          this.#transport.loseConnection()
        }
      }

      stopProducing(): void {
        this.stops++
      }
    }

    it('is asked once at once, then once a turn, and never after it has unregistered', async () => {
      const world = makeWorld()
      const errors = reports()
      const { near, far } = await connect(world)
      const bucket = new Bucket(near.transport, 50)
      near.transport.registerProducer(bucket, false)
      expect(bucket.asked).toBe(1)
      await world.settle()
      expect(errors).toEqual([])
      expect(bucket.asked).toBe(50)
      expect(far.size).toBe(500_000)
      expect(isPattern(far.bytes)).toBe(true)
      expect(far.reason).toBeInstanceOf(ConnectionDone)
      expect(bucket.stops).toBe(0)
    })

    it('is not asked again after it has unregistered and left the connection open', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      let asked = 0
      near.transport.registerProducer(
        {
          resumeProducing() {
            asked++
            near.transport.write('once')
            near.transport.unregisterProducer()
          },
          stopProducing() {},
        },
        false,
      )
      await world.settle()
      near.transport.write(', and something else')
      await world.settle()
      expect(asked).toBe(1)
      expect(far.text).toBe('once, and something else')
    })

    it('is not asked for more while more than 64 KiB wait', async () => {
      const world = makeWorld()
      const ends = await stuck(world)
      const bucket = new Bucket(ends.near.transport, world.plenty / 8192, 8192)
      ends.near.transport.registerProducer(bucket, false)
      await world.settle()
      expect(ends.near.transport.queued).toBeGreaterThan(65_536)
      expect(ends.near.transport.queued).toBeLessThanOrEqual(65_536 + 8192)
      await drain(world, ends)
      expect(ends.far.size).toBe(world.plenty)
      expect(isPattern(ends.far.bytes)).toBe(true)
    })

    it('that answers with a promise is asked again when it settles', async () => {
      const world = makeWorld()
      const { near, far } = await connect(world)
      let asked = 0
      let busy = false
      const overlaps: number[] = []
      near.transport.registerProducer(
        {
          async resumeProducing() {
            if (busy) overlaps.push(asked)
            busy = true
            await Promise.resolve()
            near.transport.write(`${++asked} `)
            if (asked === 5) near.transport.unregisterProducer()
            busy = false
          },
          stopProducing() {},
        },
        false,
      )
      await world.settle()
      expect(far.text).toBe('1 2 3 4 5 ')
      expect(overlaps).toEqual([])
    })

    it('is stopped when the connection is lost', async () => {
      const world = makeWorld()
      const ends = await stuck(world)
      const bucket = new Bucket(ends.near.transport, 1_000_000)
      ends.near.transport.registerProducer(bucket, false)
      await world.settle()
      ends.far.transport.abortConnection()
      await world.settle()
      const { asked } = bucket
      await world.settle()
      expect([bucket.stops, bucket.asked - asked]).toEqual([1, 0])
    })
  })

  describe('a producer that fails', () => {
    it.each<[hook: 'pauseProducing' | 'resumeProducing', rejects: boolean]>([
      ['pauseProducing', false],
      ['pauseProducing', true],
      ['resumeProducing', false],
      ['resumeProducing', true],
    ])('in %s (by a promise: %s) ends its connection with that as the cause', async (hook, rejects) => {
      const world = makeWorld()
      const errors = reports()
      const ends = await stuck(world)
      const error = new Error(`${hook} broke`)
      let stops = 0
      const fail = (): Promise<never> | void => {
        if (rejects) return Promise.reject(error)
        throw error
      }
      const producer: PushProducer = { pauseProducing() {}, resumeProducing() {}, stopProducing: () => void stops++ }
      producer[hook] = fail
      ends.near.transport.registerProducer(producer, true)
      ends.near.transport.write(pattern(world.plenty / 2))
      await drain(world, ends)
      expect(ends.near.reason).toBeInstanceOf(ConnectionAborted)
      expect(ends.near.reason?.cause).toBe(error)
      expect(errors.map((report) => report.error)).toEqual([error])
      expect(errors[0]?.what).toContain(hook)
      expect(stops).toBe(1)
    })

    it('in stopProducing is reported, and connectionLost still comes', async () => {
      const world = makeWorld()
      const errors = reports()
      const { near } = await connect(world)
      const error = new Error('stopProducing broke')
      near.transport.registerProducer(
        {
          pauseProducing() {},
          resumeProducing() {},
          stopProducing() {
            throw error
          },
        },
        true,
      )
      near.transport.abortConnection()
      await world.settle()
      expect(near.losses).toBe(1)
      expect(errors.map((report) => report.error)).toEqual([error])
    })

    it('in a pull, now or by a promise, ends its connection', async () => {
      const world = makeWorld()
      const errors = reports()
      const error = new Error('the file is gone')
      for (const fail of [() => Promise.reject(error), () => Promise.resolve().then(() => Promise.reject(error))]) {
        const { near } = await connect(world)
        near.transport.registerProducer({ resumeProducing: fail, stopProducing() {} }, false)
        await world.settle()
        expect(near.reason?.cause).toBe(error)
      }
      expect(errors.map((report) => report.error)).toEqual([error, error])
    })
  })
}
