/**
 * The contract: a pull producer is asked for one piece after another, and not while much waits; and a producer of either
 * kind that fails ends its connection.
 *
 * Ancestor: `twisted.internet.test.test_tcp.StreamProducerTestsMixin`.
 */
import type { PullProducer, PushProducer } from '../../core/producer.ts'
import type { Transport } from '../../core/transport.ts'
import { pattern } from '../pattern.ts'
import { atMost, claim, ended, endedBecauseOf, gotPattern, moreThan, same } from './assertions.ts'
import type { Define } from './stage.ts'

/** Writes one piece whenever it is asked, and ends the connection after the last. */
class Bucket implements PullProducer {
  asked = 0
  stops = 0
  readonly #transport: Transport
  readonly #pieces: number
  readonly #size: number

  constructor(transport: Transport, pieces: number, size: number) {
    this.#transport = transport
    this.#pieces = pieces
    this.#size = size
  }

  resumeProducing(): void {
    if (this.asked === this.#pieces) throw new Error('a pull producer was asked again after its last piece')
    this.#transport.write(pattern(this.#size, this.asked * this.#size))
    this.asked++
    if (this.asked < this.#pieces) return
    this.#transport.unregisterProducer()
    this.#transport.loseConnection()
  }

  stopProducing(): void {
    this.stops++
  }
}

export function asksPullProducers(test: Define): void {
  test('is asked once at once, then once a turn, and never after it has unregistered', async (stage) => {
    const { near, far } = await stage.connect()
    const bucket = new Bucket(near.transport, 50, 10_000)
    near.transport.registerProducer(bucket, false)
    same(bucket.asked, 1, 'how often it was asked inside registerProducer')
    await stage.settle()
    same([bucket.asked, bucket.stops], [50, 0], 'how often it was asked, and stopped')
    gotPattern(far, 500_000, 'at the far end')
    ended(far, 'ConnectionDone', 'the far end')
  })

  test('is not asked again after it has unregistered and left the connection open', async (stage) => {
    const { near, far } = await stage.connect()
    let asked = 0
    const once: PullProducer = {
      resumeProducing() {
        asked++
        near.transport.write('once')
        near.transport.unregisterProducer()
      },
      stopProducing() {},
    }
    near.transport.registerProducer(once, false)
    await stage.settle()
    near.transport.write(', and something else')
    await stage.settle()
    same(asked, 1, 'how often it was asked')
    same(far.text, 'once, and something else', 'what arrived')
  })

  test('is not asked for more while more than 64 KiB wait', async (stage) => {
    const ends = await stage.stuck()
    const { transport } = ends.near
    const bucket = new Bucket(transport, stage.plenty / 8192, 8192)
    transport.registerProducer(bucket, false)
    await stage.settle()
    moreThan(transport.queued, 65_536, 'what waits')
    atMost(transport.queued, 65_536 + 8192, 'what waits')
    await stage.drain(ends)
    gotPattern(ends.far, stage.plenty, 'at the far end')
  })

  test('that answers with a promise is asked again when it settles', async (stage) => {
    const { near, far } = await stage.connect()
    let asked = 0
    let busy = false
    let overlaps = 0
    const slow: PullProducer = {
      async resumeProducing() {
        if (busy) overlaps++
        busy = true
        await Promise.resolve()
        near.transport.write(`${++asked} `)
        if (asked === 5) near.transport.unregisterProducer()
        busy = false
      },
      stopProducing() {},
    }
    near.transport.registerProducer(slow, false)
    await stage.settle()
    same(far.text, '1 2 3 4 5 ', 'what arrived')
    same(overlaps, 0, 'how often it was asked before it had answered')
  })

  test('is stopped when the connection is lost', async (stage) => {
    const ends = await stage.stuck()
    const bucket = new Bucket(ends.near.transport, Infinity, 10_000)
    ends.near.transport.registerProducer(bucket, false)
    await stage.settle()
    ends.far.transport.abortConnection()
    await stage.settle()
    const { asked } = bucket
    await stage.settle()
    same([bucket.stops, bucket.asked - asked], [1, 0], 'how often it was stopped, and asked after that')
  })
}

export function failsWithProducers(test: Define): void {
  for (const hook of ['pauseProducing', 'resumeProducing'] as const) {
    for (const how of ['throws', 'returns a promise that is rejected']) {
      test(`whose ${hook} ${how} ends its connection with that as the cause`, async (stage) => {
        const ends = await stage.stuck()
        const error = new Error(`${hook} broke`)
        let stops = 0
        const producer: PushProducer = {
          pauseProducing() {},
          resumeProducing() {},
          stopProducing: () => void stops++,
          [hook]() {
            if (how !== 'throws') return Promise.reject(error)
            throw error
          },
        }
        ends.near.transport.registerProducer(producer, true)
        ends.near.transport.write(pattern(stage.plenty / 2))
        await stage.drain(ends)
        endedBecauseOf(error, ends.near, 'ConnectionAborted', 'the near end')
        const [report] = stage.expectReported([error])
        claim(report?.what.includes(hook) === true, `"${report?.what}" says which hook it was`)
        same(stops, 1, 'how often it was stopped')
      })
    }
  }

  test('whose stopProducing throws is reported, and connectionLost still comes', async (stage) => {
    const { near } = await stage.connect()
    const error = new Error('stopProducing broke')
    const producer: PushProducer = {
      pauseProducing() {},
      resumeProducing() {},
      stopProducing() {
        throw error
      },
    }
    near.transport.registerProducer(producer, true)
    near.transport.abortConnection()
    await stage.settle()
    ended(near, 'ConnectionAborted', 'the near end')
    stage.expectReported([error])
  })

  test('when it is asked for a piece, now or by a promise, ends its connection', async (stage) => {
    const error = new Error('the file is gone')
    for (const fail of [() => Promise.reject(error), () => Promise.resolve().then(() => Promise.reject(error))]) {
      const { near } = await stage.connect()
      near.transport.registerProducer({ resumeProducing: fail, stopProducing() {} }, false)
      await stage.settle()
      endedBecauseOf(error, near, 'ConnectionAborted', 'the near end')
    }
    stage.expectReported([error, error])
  })
}
