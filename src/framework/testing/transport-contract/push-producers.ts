/**
 * The contract: a push producer is held back and goes on, in turns, and is told when it is over.
 *
 * Ancestor: `twisted.internet.test.test_tcp.StreamProducerTestsMixin`; the strict producer is `twisted.test.iosim`'s.
 */
import type { PushProducer } from '../../core/producer.ts'
import type { Transport } from '../../core/transport.ts'
import { pattern } from '../pattern.ts'
import { ended, gotPattern, moreThan, same, throws } from './assertions.ts'
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
