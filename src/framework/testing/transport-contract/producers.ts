/**
 * The contract: producers are held back, asked again, and told when it is over; and one that fails ends its connection.
 *
 * Ancestor: `twisted.internet.test.test_tcp.StreamProducerTestsMixin`; the strict producer is `twisted.test.iosim`'s.
 */
import type { PullProducer, PushProducer } from '../../core/producer.ts'
import type { Transport } from '../../core/transport.ts'
import { pattern } from '../pattern.ts'
import { atMost, claim, ended, endedBecauseOf, gotPattern, moreThan, same, throws } from './assertions.ts'
import type { Define, Ends } from './stage.ts'

/** Writes as fast as it may, piece by piece, and complains when it is told things in a wrong order. */
class Fountain implements PushProducer {
  readonly calls: string[] = []
  paused = false
  written = 0
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Writes until it is paused, or has written so much. */
  run(most = Infinity): void {
    while (!this.paused && this.written < most && !this.calls.includes('stop')) {
      const bytes = pattern(Math.min(10_000, most - this.written), this.written)
      this.written += bytes.length
      this.#transport.write(bytes)
    }
  }

  pauseProducing(): void {
    this.#note('pause', !this.paused)
    this.paused = true
  }

  resumeProducing(): void {
    this.#note('resume', this.paused)
    this.paused = false
  }

  stopProducing(): void {
    this.#note('stop', true)
  }

  #note(call: string, expected: boolean): void {
    this.calls.push(expected && !this.calls.includes('stop') ? call : `${call}, wrongly`)
  }
}

export function pausesPushProducers(test: Define): void {
  test('is paused above 64 KiB, not at it, and resumed when nothing waits', async (stage) => {
    // A transport that takes nothing at once (TLS) still has the first two writes when the third comes.
    const ends = await stage.stuck({}, {}, { near: { maxSendQueue: stage.plenty } })
    const { transport } = ends.near
    const fountain = new Fountain(transport)
    transport.registerProducer(fountain, true)
    transport.write(pattern(65_536))
    same(fountain.calls, [], 'what it was told at 64 KiB')
    transport.write(pattern(1))
    same(fountain.calls, ['pause'], 'what it was told above')
    transport.write(pattern(stage.plenty / 2))
    same(fountain.calls, ['pause'], 'what it was told further above')
    await stage.drain(ends)
    same(fountain.calls, ['pause', 'resume'], 'what it was told when all had left')
    same(transport.queued, 0, 'what waits')
  })

  test('is told pause and resume in turns, never twice, and all it writes arrives', async (stage) => {
    const { near, far } = await stage.connect()
    class Refilling extends Fountain {
      override resumeProducing(): void {
        super.resumeProducing()
        this.run(stage.plenty)
      }
    }
    const fountain = new Refilling(near.transport)
    near.transport.registerProducer(fountain, true)
    fountain.run(stage.plenty)
    await stage.settle()
    moreThan(fountain.calls.length, 6, 'how often it was told something')
    same(
      fountain.calls.filter((call) => call.includes('wrongly')),
      [],
      'what it was told wrongly',
    )
    gotPattern(far, stage.plenty, 'at the far end')
  })

  test('of a clogged pair waits for the reader', async (stage) => {
    const ends = await stage.stuck()
    const fountain = new Fountain(ends.near.transport)
    ends.near.transport.registerProducer(fountain, true)
    while (!fountain.paused || ends.near.transport.queued === 0) {
      fountain.run(fountain.written + 65_536)
      await stage.settle()
      if (fountain.written > stage.plenty) break
    }
    same(fountain.paused, true, 'paused')
    await stage.settle()
    same(fountain.paused, true, 'paused, a little later')
    await stage.drain(ends)
    same(fountain.paused, false, 'paused after the reader has read')
    gotPattern(ends.far, fountain.written, 'at the far end')
  })

  test('may write from inside pauseProducing and resumeProducing', async (stage) => {
    const ends = await stage.stuck()
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
    await stage.drain(ends)
    same(fountain.calls, ['pause', 'resume'], 'what it was told')
    same(ends.far.size, fountain.written + 'I am pausedI go on'.length, 'what arrived')
  })

  test('keeps loseConnection waiting until it is unregistered', async (stage) => {
    const { near, far } = await stage.connect()
    const { transport } = near
    const fountain = new Fountain(transport)
    transport.registerProducer(fountain, true)
    transport.write('first')
    transport.loseConnection()
    await stage.settle()
    transport.write(', then second')
    await stage.settle()
    same([near.losses, far.losses], [0, 0], 'losses while it produces')
    same(far.text, 'first, then second', 'what arrived')
    transport.unregisterProducer()
    transport.write(', but no third')
    await stage.settle()
    same(far.text, 'first, then second', 'what arrived')
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
    same(fountain.calls, [], 'what it was told')
  })

  test(
    'keeps loseWriteConnection waiting too',
    async (stage) => {
      const { near, far } = await stage.connect({}, { readLost: () => {} })
      near.transport.registerProducer(new Fountain(near.transport), true)
      near.transport.loseWriteConnection()
      near.transport.write('still open')
      await stage.settle()
      same(far.calls, ['made', 'data'], 'what the far end was told')
      near.transport.unregisterProducer()
      await stage.settle()
      same(far.calls, ['made', 'data', 'inputEnded', 'readLost'], 'what the far end was told')
    },
    'half close',
  )

  const endings: readonly [how: string, end: (ends: Ends) => void][] = [
    ['we abort', ({ near }) => near.transport.abortConnection()],
    ['the peer aborts', ({ far }) => far.transport.abortConnection()],
  ]
  for (const [how, end] of endings) {
    test(`is stopped exactly once, before connectionLost, when ${how}`, async (stage) => {
      const order: string[] = []
      const ends = await stage.connect({ lost: () => void order.push('connectionLost') })
      const { transport } = ends.near
      transport.registerProducer(
        {
          pauseProducing() {},
          resumeProducing() {},
          stopProducing() {
            order.push('stopProducing')
            transport.unregisterProducer()
          },
        },
        true,
      )
      // Something waits, so that a peer without a reset is noticed too.
      if (!stage.can('reset')) transport.write(pattern(stage.plenty))
      end(ends)
      await stage.settle()
      transport.unregisterProducer()
      same(order, ['stopProducing', 'connectionLost'], 'who was told, in order')
    })
  }

  test('is one at a time', async (stage) => {
    const { near } = await stage.connect()
    const first = new Fountain(near.transport)
    near.transport.registerProducer(first, true)
    const second = new Fountain(near.transport)
    throws(() => near.transport.registerProducer(second, true), /registered already/, 'registering a second one')
    near.transport.unregisterProducer()
    near.transport.registerProducer(second, true)
    same(first.calls, [], 'what the first one was told')
  })

  const tooLate: readonly [when: string, end: (transport: Transport) => void][] = [
    ['closing', (transport) => transport.loseConnection()],
    ['half closed', (transport) => transport.loseWriteConnection()],
    ['aborted', (transport) => transport.abortConnection()],
  ]
  for (const [when, end] of tooLate) {
    test(
      `that comes too late, when the connection is ${when}, is stopped and not registered`,
      async (stage) => {
        const { near } = await stage.connect()
        end(near.transport)
        const stopped = (): void => {
          const late = new Fountain(near.transport)
          near.transport.registerProducer(late, true)
          same(late.calls, ['stop'], 'what it was told')
        }
        stopped()
        stopped()
        await stage.settle()
        stopped()
      },
      ...(when === 'half closed' ? (['half close'] as const) : []),
    )
  }

  test('is not resumed unless it was paused', async (stage) => {
    const { near } = await stage.connect()
    const fountain = new Fountain(near.transport)
    near.transport.registerProducer(fountain, true)
    near.transport.write(pattern(60_000))
    await stage.settle()
    same(fountain.calls, [], 'what it was told')
  })

  test('may be another transport: what comes in goes out, at the speed of the slower one', async (stage) => {
    const { plenty } = stage
    const source = await stage.connect({}, {}, { near: { maxSendQueue: 2 * plenty } })
    const sink = await stage.stuck({}, {}, { near: { maxSendQueue: 200_000 } })
    sink.near.transport.registerProducer(source.far.transport, true)
    source.far.dataReceived = (chunk) => sink.near.transport.write(chunk)
    source.near.transport.write(pattern(plenty))
    await stage.settle()
    moreThan(source.near.transport.queued, 0, 'what waits at the source')
    await stage.drain(sink)
    gotPattern(sink.far, plenty, 'at the sink')
  })
}

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
