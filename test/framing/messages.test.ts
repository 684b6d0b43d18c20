/** messages(receiver): for await over lines, with backpressure; leaving the loop, and the ends of a connection. */
import {
  ConnectionAborted,
  ConnectionLost,
  type Hook,
  IncompleteFrame,
  LineReceiver,
  LineTooLong,
  messages,
  type MessagesOptions,
  NetstringReceiver,
  type Report,
  setReporter,
  TextLineReceiver,
  toText,
} from 'couplet'
import { connected } from 'couplet/testing'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { lines as bytesOf } from './line-model.ts'

class Lines extends TextLineReceiver {
  readonly own: string[] = []
  override lineReceived(line: string): void {
    this.own.push(line)
  }
  override connectionLost(reason: Error): Hook {
    this.own.push(reason.name)
  }
}

function receiver(options?: MessagesOptions) {
  const protocol = new Lines()
  const iterable = messages(protocol, options)
  return { protocol, iterable, transport: connected(protocol) }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index}`)

describe('messages', () => {
  it('come in order to a loop, and not to the hook; the loop ends when the connection ends cleanly', async () => {
    const { protocol, iterable, transport } = receiver()
    const seen: string[] = []
    transport.receive('a\r\nb\r\n')
    const loop = (async () => {
      for await (const line of iterable) seen.push(line)
    })()
    await Promise.resolve()
    transport.receive('c\r\n')
    transport.end()
    await loop
    expect([seen, protocol.own]).toEqual([['a', 'b', 'c'], ['ConnectionDone']])
    expect(await iterable.next()).toEqual({ done: true, value: undefined })
  })

  it('are of the type that the receiver takes', () => {
    class Bytes extends NetstringReceiver {
      override stringReceived(): void {}
    }
    expectTypeOf(messages(new Lines())).toEqualTypeOf<AsyncIterableIterator<string>>()
    expectTypeOf(messages(new Bytes())).toEqualTypeOf<AsyncIterableIterator<Uint8Array>>()
  })

  it('make an echo server of five lines', async () => {
    class Echo extends LineReceiver {
      override lineReceived(): void {}
      override async connectionMade(): Promise<void> {
        for await (const line of messages(this)) this.sendLine(toText(line).toUpperCase())
      }
    }
    const transport = connected(new Echo())
    transport.receive('a\r\nb\r\n')
    await new Promise(setImmediate)
    expect(transport.text()).toBe('A\r\nB\r\n')
  })

  it('wait, so many and no more; the peer is held back until half of them are taken', async () => {
    for (const limit of [1, 2, 5]) {
      const { protocol, iterable, transport } = receiver({ limit })
      const sent = numbered(23)
      transport.receive(bytesOf(...sent))
      expect(transport.paused).toBe(true)
      const seen: string[] = []
      let pauses = 0
      for (let paused = true; seen.length < sent.length;) {
        const { value } = await iterable.next()
        seen.push(value ?? '')
        if (transport.paused && !paused) pauses++
        paused = transport.paused
      }
      expect([seen, transport.paused]).toEqual([sent, false])
      expect(pauses).toBeLessThanOrEqual(23 / Math.max(1, limit / 2))
      expect(protocol.own).toEqual([])
    }
  })

  it('are 16 that wait, unless one says otherwise', () => {
    const { transport, iterable } = receiver()
    transport.receive(bytesOf(...numbered(15)))
    expect(transport.paused).toBe(false)
    transport.receive(bytesOf('one more'))
    expect(transport.paused).toBe(true)
    void iterable.return?.()
    for (const limit of [0, -1, 1.5, NaN, Infinity]) expect(() => receiver({ limit })).toThrow(RangeError)
  })

  it('answer several questions in the order in which they were asked', async () => {
    const { iterable, transport } = receiver()
    const asked = [iterable.next(), iterable.next(), iterable.next()]
    transport.receive('a\r\nb\r\n')
    transport.end()
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual(['a', 'b', undefined])
  })

  it.each([
    [
      'a connection that broke',
      new ConnectionLost('the cable'),
      (reason: unknown) => expect(reason).toHaveProperty('message', 'the cable'),
    ],
    [
      'one that we aborted',
      new ConnectionAborted(),
      (reason: unknown) => expect(reason).toBeInstanceOf(ConnectionAborted),
    ],
  ])('throw the reason of %s, once, after what came before', async (_, reason, check) => {
    for (const early of [true, false]) {
      const { iterable, transport } = receiver()
      transport.receive('a\r\nb\r\n')
      const questions = early ? [iterable.next(), iterable.next(), iterable.next(), iterable.next()] : []
      const settled = Promise.allSettled(questions)
      transport.end(reason)
      const asked = early
        ? await settled
        : await Promise.allSettled([iterable.next(), iterable.next(), iterable.next(), iterable.next()])
      expect(asked.slice(0, 2).map((one) => one.status === 'fulfilled' && one.value.value)).toEqual(['a', 'b'])
      expect(asked[2]?.status).toBe('rejected')
      check((asked[2] as PromiseRejectedResult).reason)
      expect(asked[3]).toEqual({ status: 'fulfilled', value: { done: true, value: undefined } })
    }
  })

  it('throw what broke a line: one too long, one cut short', async () => {
    for (const [text, cause] of [
      ['a\r\nmuch too long', new LineTooLong(6, 5)],
      ['a\r\nb', new IncompleteFrame(1)],
    ] as const) {
      const { protocol, iterable, transport } = receiver()
      protocol.maxLength = 5
      transport.receive(text)
      transport.end()
      expect(await iterable.next()).toEqual({ done: false, value: 'a' })
      await expect(iterable.next()).rejects.toMatchObject({ cause })
    }
  })
})

describe('to leave the loop', () => {
  it('closes the connection after what was written; nothing more is taken, nobody waits for ever', async () => {
    const { protocol, iterable, transport } = receiver({ limit: 2 })
    transport.receive(bytesOf(...numbered(10)))
    for await (const line of iterable) {
      protocol.sendLine(`bye ${line}`)
      break
    }
    expect([transport.text(), transport.disconnecting, transport.aborting, transport.paused]).toEqual([
      'bye line 0\r\n',
      true,
      false,
      false,
    ])
    expect(await iterable.next()).toEqual({ done: true, value: undefined })
    transport.end()
    expect(protocol.own).toEqual(['ConnectionDone'])
  })

  it('answers a question that is still open', async () => {
    const { iterable } = receiver()
    const asked = iterable.next()
    await iterable.return?.()
    expect(await asked).toEqual({ done: true, value: undefined })
  })

  it('before there is a connection closes it at its first message', async () => {
    const protocol = new Lines()
    await messages(protocol).return?.()
    const transport = connected(protocol)
    expect(transport.disconnecting).toBe(false)
    transport.receive('a\r\nb\r\n')
    expect([transport.disconnecting, protocol.own]).toEqual([true, []])
  })

  it('may leave it open, and another loop goes on with the next message', async () => {
    const { iterable, transport } = receiver({ closeOnReturn: false, limit: 2 })
    const sent = numbered(10)
    transport.receive(bytesOf(...sent))
    const head: string[] = []
    for await (const line of iterable) if (head.push(line) === 3) break
    expect(transport.disconnecting).toBe(false)
    transport.end()
    const rest: string[] = []
    for await (const line of iterable) rest.push(line)
    expect([head, rest]).toEqual([sent.slice(0, 3), sent.slice(3)])
  })

  it('by an error aborts the connection, if the loop was the hook’s', async () => {
    const error = new Error('no such word')
    class Strict extends Lines {
      override async connectionMade(): Promise<void> {
        for await (const line of messages(this)) if (line === 'b') throw error
      }
    }
    const reports: Report[] = []
    const restore = setReporter((report) => reports.push(report))
    const transport = connected(new Strict())
    transport.receive('a\r\nb\r\nc\r\n')
    await new Promise(setImmediate)
    restore()
    expect([transport.aborting, transport.cause]).toEqual([true, error])
    expect(reports).toMatchObject([{ error, what: expect.stringContaining('connectionMade of Strict') }])
  })

  it('after the end leaves what still waits, the reason too', async () => {
    const { iterable, transport } = receiver()
    transport.receive('a\r\nb')
    transport.end()
    expect(transport.disconnected).toBe(true)
    await iterable.return?.()
    expect(await iterable.next()).toEqual({ done: true, value: undefined })
  })
})
