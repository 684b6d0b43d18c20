import {
  CancelledError,
  ConnectionLost,
  LocalProtocolError,
  Protocol,
  type PushProducer,
  Recorder,
  setTracer,
  toText,
} from 'couplet'
import {
  bytes,
  Conversation,
  type ConversationOptions,
  hold,
  type Hold,
  lines,
  pacedMap,
  receiverOf,
  strings,
  writeAll,
} from 'couplet/rx'
import { connected, everyChunking, failureResultOf, ManualClock, StringTransport } from 'couplet/testing'
import { filter, map, merge, NEVER, type Observable, scan, Subscriber, take } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { heard } from './heard.ts'
import { reportsOfEachTest } from '../reports.ts'

const reports = reportsOfEachTest()

function conversing(options?: ConversationOptions) {
  const conversation = new Conversation(lines(), options)
  return { conversation, text: conversation.pipe(map(toText)), transport: connected(conversation.protocol) }
}

describe('the messages of a connection', () => {
  it('are the receiver’s, however the bytes arrive, and complete at a clean end', () => {
    everyChunking(new TextEncoder().encode('one\r\ntwo\r\n\r\n'), (chunks) => {
      const { text, transport } = conversing()
      const { log } = heard(text)
      for (const chunk of chunks) transport.receive(chunk)
      transport.end()
      expect(log).toEqual(['one', 'two', '', 'complete'])
    })
  })

  it('are bytes as they come, if asked', () => {
    const conversation = new Conversation(bytes())
    const transport = connected(conversation.protocol)
    const { log } = heard(conversation.pipe(map(toText)))
    transport.receive('half a li')
    transport.receive('ne')
    conversation.next('and back')
    transport.end()
    expect(log).toEqual(['half a li', 'ne', 'complete'])
    expect(transport.text()).toBe('and back')
  })

  it.each(['netstring', 'int8', 'int16', 'int32', 'varint'] as const)(
    'may be strings with a length in front: %s',
    (how) => {
      const from = new Conversation(strings(how))
      const to = new Conversation(strings(how, { maxLength: 5 }))
      const sending = connected(from.protocol)
      const receiving = connected(to.protocol)
      const { log } = heard(to.pipe(map(toText)))
      for (const string of ['one', '', 'three', 'longer']) from.send(string)
      receiving.receive(sending.value())
      receiving.end()
      expect(log).toEqual(['one', '', 'three', expect.objectContaining({ name: 'ConnectionAborted' })])
    },
  )

  it('come from any protocol with a hook for them, which goes on doing what it does', () => {
    class Numbers extends Protocol {
      readonly lost: unknown[] = []
      override connectionMade() {
        this.transport.write('hello ')
      }
      numberReceived(_number: number): void {}
      override dataReceived(chunk: Uint8Array) {
        for (const byte of chunk) this.numberReceived(byte)
      }
      override connectionLost(reason: Error) {
        this.lost.push(reason.name)
      }
    }
    const numbers = new Numbers()
    const conversation = new Conversation(
      receiverOf(
        () => numbers,
        'numberReceived',
        (protocol, number: number) => protocol.transport.write(String(number)),
      ),
    )
    const transport = connected(conversation.protocol)
    const { log } = heard(conversation.pipe(scan((sum, number) => sum + number, 0)))
    transport.receive(Uint8Array.of(1, 2, 3))
    conversation.next(4)
    transport.end()
    expect(log).toEqual([1, 3, 6, 'complete'])
    expect(transport.text()).toBe('hello 4')
    expect(numbers.lost).toEqual(['ConnectionDone'])
  })

  it('end with an error when the connection does', () => {
    const { text, transport } = conversing()
    const { log } = heard(text)
    transport.receive('one\r\n')
    const reason = new ConnectionLost('the cable')
    transport.end(reason)
    expect(log).toEqual(['one', reason])
  })

  it('end with an error when the last one was cut short', () => {
    const { text, transport } = conversing()
    const { log } = heard(text)
    transport.receive('one\r\ntw')
    transport.end()
    expect(log).toEqual(['one', expect.any(ConnectionLost)])
  })

  it('end with an error when one is too long', () => {
    const conversation = new Conversation(lines({ maxLength: 3, delimiter: '\n' }))
    const transport = connected(conversation.protocol)
    const { log } = heard(conversation.pipe(map(toText)))
    transport.receive('abc\nabcd\n')
    transport.end()
    expect(log).toEqual([
      'abc',
      expect.objectContaining({ name: 'ConnectionAborted', cause: expect.objectContaining({ name: 'LineTooLong' }) }),
    ])
  })

  it('are not read before somebody subscribes, so that nothing is missed', () => {
    const { text, transport } = conversing()
    expect(transport.producerState).toBe('paused')
    transport.receive('one\r\ntwo\r\n')
    const { log } = heard(text)
    expect(log).toEqual(['one', 'two'])
    expect(transport.producerState).toBe('producing')
  })

  it('go to all who have subscribed, in one order, whatever they do meanwhile', () => {
    const { conversation, text, transport } = conversing()
    const first: string[] = []
    const second: string[] = []
    text.subscribe((line) => {
      first.push(line)
      if (line === 'one') transport.receive('three\r\n')
    })
    text.subscribe((line) => {
      second.push(line)
      if (line === 'one') text.subscribe((later) => second.push(`later: ${later}`))
    })
    transport.receive('one\r\ntwo\r\n')
    expect(first).toEqual(['one', 'two', 'three'])
    expect(second).toEqual(['one', 'two', 'later: two', 'three', 'later: three'])
    expect(conversation.outstanding).toBe(0)
  })

  it('that come while one is delivered wait until all have it', () => {
    class Eager extends Protocol {
      byteReceived(_byte: number): void {}
      override dataReceived(chunk: Uint8Array) {
        for (const byte of chunk) this.byteReceived(byte)
      }
    }
    const eager = new Eager()
    const conversation = new Conversation(
      receiverOf(
        () => eager,
        'byteReceived',
        () => {},
      ),
    )
    const transport = connected(conversation.protocol)
    const logs = [
      heard(conversation.pipe(map((byte) => (byte === 1 && eager.byteReceived(9), byte)))),
      heard(conversation),
    ]
    transport.receive(Uint8Array.of(1, 2))
    expect(logs.map(({ log }) => log)).toEqual([
      [1, 9, 2],
      [1, 9, 2],
    ])
  })

  it('come after the present one when another connection makes them come, and not inside of it', () => {
    const a = conversing()
    const b = conversing()
    const log: string[] = []
    a.text.subscribe((line) => {
      log.push(`a: ${line}`)
      b.transport.receive(`${line}!\r\n`)
      log.push(`a: ${line} done`)
    })
    b.text.subscribe((line) => log.push(`b: ${line}`))
    a.transport.receive('one\r\ntwo\r\n')
    expect(log).toEqual(['a: one', 'a: one done', 'b: one!', 'a: two', 'a: two done', 'b: two!'])
  })

  it('stop for one that leaves within next', () => {
    const { text, transport } = conversing({ onUnsubscribe: 'detach' })
    const { log } = heard(text.pipe(take(1)))
    transport.receive('one\r\ntwo\r\n')
    expect(log).toEqual(['one', 'complete'])
  })

  it('are over for those who come after the end', () => {
    const { text, transport } = conversing()
    heard(text)
    transport.end()
    expect(heard(text).log).toEqual(['complete'])
  })
})

describe('leaving a connection', () => {
  it('closes it when the last one leaves, after what was sent', () => {
    const { conversation, text, transport } = conversing()
    const first = heard(text)
    const second = heard(text)
    first.unsubscribe()
    expect(transport.disconnecting).toBe(false)
    conversation.next('bye')
    second.unsubscribe()
    expect([transport.disconnecting, transport.aborting, transport.text()]).toEqual([true, false, 'bye\r\n'])
    transport.end()
    expect(first.log).toEqual([])
  })

  it('resets it, if asked', () => {
    const { text, transport } = conversing({ onUnsubscribe: 'abort' })
    heard(text).unsubscribe()
    expect(transport.aborting).toBe(true)
  })

  it('only detaches, if asked: the connection waits for the next one, and nothing is lost', () => {
    const { text, transport } = conversing({ onUnsubscribe: 'detach' })
    const { log } = heard(text.pipe(take(1)))
    transport.receive('one\r\ntwo\r\nthree\r\n')
    expect(log).toEqual(['one', 'complete'])
    expect(transport.producerState).toBe('paused')
    expect(transport.disconnecting).toBe(false)
    expect(heard(text).log).toEqual(['two', 'three'])
  })

  it('delivers nothing any more, not even from a protocol that goes on', () => {
    class Eager extends Protocol {
      byteReceived(_byte: number): void {}
      override dataReceived(chunk: Uint8Array) {
        for (const byte of chunk) this.byteReceived(byte)
      }
    }
    const conversation = new Conversation(
      receiverOf(
        () => new Eager(),
        'byteReceived',
        () => {},
      ),
    )
    const transport = connected(conversation.protocol)
    const { log } = heard(conversation.pipe(take(1)))
    transport.receive(Uint8Array.of(1, 2, 3))
    expect(log).toEqual([1, 'complete'])
    expect(conversation.outstanding).toBe(0)
  })
})

describe('the sending side', () => {
  it('sends what it is given, and closes when that is complete', () => {
    const { conversation, text, transport } = conversing()
    const { log } = heard(text)
    conversation.next('one')
    conversation.complete()
    conversation.next('too late')
    expect([transport.text(), transport.disconnecting, log]).toEqual(['one\r\n', true, []])
    transport.end()
    expect(log).toEqual(['complete'])
  })

  it('resets when it is given an error', () => {
    const { conversation, text, transport } = conversing()
    const { log } = heard(text)
    const error = new Error('changed our mind')
    conversation.error(error)
    expect(transport.aborting).toBe(true)
    transport.end()
    expect(log).toEqual([expect.objectContaining({ name: 'ConnectionAborted', cause: error })])
  })

  it('throws at who sends what cannot be sent; as an Observer it never throws, and ends the connection', () => {
    const { conversation, text, transport } = conversing()
    const { log } = heard(text)
    expect(() => conversation.send('two\r\nlines')).toThrow(LocalProtocolError)
    expect(transport.disconnecting).toBe(false)
    conversation.next('two\r\nlines')
    expect(transport.aborting).toBe(true)
    transport.end()
    expect(log).toEqual([expect.objectContaining({ cause: expect.any(LocalProtocolError) })])
    expect([transport.text(), reports]).toEqual(['', []])
  })

  it('has nobody to send to before the connection is made', () => {
    const conversation = new Conversation(lines())
    expect(() => conversation.send('hello')).toThrow('not made yet')
    expect(() => conversation.transport).toThrow('not made yet')
  })
})

describe('a subscriber that throws', () => {
  const error = new Error('a bug')
  const throwing = (): never => {
    throw error
  }

  it('aborts that connection, is reported once, and hurts nobody else', () => {
    const hurt = conversing()
    const other = conversing()
    const log = heard(merge(other.text.pipe(filter((line) => line !== ''))))
    hurt.text.pipe(map((line) => `${line}!`)).subscribe(throwing)
    hurt.transport.receive('one\r\ntwo\r\n')
    other.transport.receive('fine\r\n')
    expect([hurt.transport.aborting, hurt.transport.cause, other.transport.disconnecting]).toEqual([true, error, false])
    hurt.transport.end()
    expect(log.log).toEqual(['fine'])
    expect(reports).toEqual([
      expect.objectContaining({
        error,
        subject: hurt.conversation,
        what: expect.stringContaining('192.168.1.1:54321'),
      }),
    ])
  })

  it('lets the others of the same connection hear the message, and why it ended', () => {
    const { text, transport } = conversing()
    const first = heard(text)
    text.subscribe({ next: throwing, error() {} })
    const second = heard(text)
    transport.receive('one\r\ntwo\r\n')
    transport.end()
    const end = expect.objectContaining({ name: 'ConnectionAborted', cause: error })
    expect([first.log, second.log]).toEqual([
      ['one', end],
      ['one', end],
    ])
  })

  it('is not blamed for what another connection’s subscriber does inside its call', () => {
    const a = conversing()
    const b = conversing()
    heard(a.text.pipe(map((line) => b.transport.receive(`${line}\r\n`))))
    b.text.subscribe({ next: throwing, error() {} })
    a.transport.receive('one\r\n')
    expect([a.transport.disconnecting, b.transport.aborting]).toEqual([false, true])
  })

  it('may throw at the end, too: it is reported', () => {
    const { text, transport } = conversing()
    text.subscribe({ complete: throwing })
    transport.end()
    expect(reports).toEqual([expect.objectContaining({ error })])
  })

  it('that takes no error has it reported, once, however many they are', () => {
    const { text, transport } = conversing()
    text.subscribe()
    text.subscribe()
    const reason = new ConnectionLost()
    transport.end(reason)
    expect(reports).toEqual([expect.objectContaining({ error: reason })])
  })

  it('may break the rules of RxJS and throw straight through: the next one is caught all the same', () => {
    const raw = conversing()
    raw.conversation.subscribe(
      // oxlint-disable-next-line typescript/no-deprecated -- taken as it is, without the usual net around it
      Object.assign(new Subscriber<Uint8Array>(), { next: throwing }),
    )
    const usual = conversing()
    usual.text.subscribe({ next: throwing, error() {} })
    raw.transport.receive('one\r\n')
    usual.transport.receive('one\r\n')
    expect([raw.transport.aborting, usual.transport.aborting, reports.length]).toEqual([true, true, 2])
  })

  it('leaves RxJS as it found it', () => {
    const { text, transport } = conversing()
    text.subscribe({ next: throwing, error() {} })
    transport.receive('one\r\n')
    const { transport: fine, text: lines } = conversing()
    const { log } = heard(lines)
    fine.receive('one\r\n')
    expect(log).toEqual(['one'])
  })
})

describe('a subscriber that is slow', () => {
  const slow = (source: Observable<string>) => {
    const hands: { readonly line: string; readonly inHand: Hold }[] = []
    source.subscribe((line) => hands.push({ line, inHand: hold() }))
    return hands
  }
  const poem = Array.from({ length: 100 }, (_, index) => `line ${index}\r\n`).join('')

  it('is given so many messages, then the connection is paused; when half of them are done, it goes on', () => {
    const { conversation, text, transport } = conversing({ limit: 4 })
    const hands = slow(text)
    transport.receive(poem)
    expect(hands.map(({ line }) => line)).toEqual(['line 0', 'line 1', 'line 2', 'line 3'])
    expect([transport.producerState, conversation.outstanding]).toEqual(['paused', 4])
    hands[0]!.inHand.release()
    hands[0]!.inHand.release()
    expect(hands.length).toBe(4)
    hands[2]!.inHand.release()
    expect(hands.length).toBe(6)
    expect([transport.producerState, conversation.outstanding]).toEqual(['paused', 4])
  })

  it('gets everything in order in the end, and never more than the limit at once', () => {
    const { conversation, text, transport } = conversing({ limit: 3 })
    const hands = slow(text)
    transport.receive(poem)
    transport.end()
    const lines: string[] = []
    for (let next = hands.shift(); next !== undefined; next = hands.shift()) {
      expect(conversation.outstanding).toBeLessThanOrEqual(3)
      lines.push(`${next.line}\r\n`)
      next.inHand.release()
    }
    expect(lines.join('')).toBe(poem)
  })

  it('holds through operators that pass on at once', () => {
    const { conversation, text, transport } = conversing({ limit: 2 })
    const hands = slow(
      merge(
        text.pipe(
          filter((line) => line !== 'no'),
          map((line) => line.toUpperCase()),
        ),
      ),
    )
    transport.receive('no\r\none\r\ntwo\r\nthree\r\n')
    expect(hands.map(({ line }) => line)).toEqual(['ONE', 'TWO'])
    expect(conversation.outstanding).toBe(2)
  })

  it('holds nothing where there is no message', () => {
    const inHand = hold()
    inHand.release()
    inHand.deliver(() => {})
  })

  it('sees the end after the last message, even if that was held back', () => {
    const { text, transport } = conversing({ limit: 1 })
    const log: unknown[] = []
    const hands: Hold[] = []
    text.subscribe({
      next(line) {
        log.push(line)
        hands.push(hold())
      },
      complete: () => log.push('complete'),
    })
    transport.receive('one\r\ntwo\r\n')
    transport.end()
    expect(log).toEqual(['one'])
    hands[0]!.release()
    expect(log).toEqual(['one', 'two'])
    hands[1]!.release()
    expect(log).toEqual(['one', 'two', 'complete'])
  })

  it('that leaves in the middle of its work lets go of what it had in hand, and the next one gets the rest', () => {
    const { conversation, text, transport } = conversing({ limit: 3, onUnsubscribe: 'detach' })
    const { unsubscribe } = heard(text.pipe(pacedMap(() => NEVER)))
    transport.receive(poem)
    expect(conversation.outstanding).toBe(3)
    unsubscribe()
    expect([conversation.outstanding, transport.producerState]).toEqual([0, 'paused'])
    expect(heard(text).log[0]).toBe('line 3')
  })

  it('is a transport, too: what it has not taken is in hand, until the writing is given up', () => {
    const source = conversing({ limit: 3, onUnsubscribe: 'detach' })
    const sink = new StringTransport()
    const writing = writeAll(source.text, sink)
    const producer = sink.producer as PushProducer
    source.transport.receive('one\r\n')
    producer.pauseProducing()
    source.transport.receive(poem)
    expect([sink.text(), source.conversation.outstanding, source.transport.producerState]).toEqual(['one', 3, 'paused'])
    producer.resumeProducing()
    expect(sink.text().length).toBeGreaterThan(600)
    producer.pauseProducing()
    source.transport.receive(poem)
    expect(source.conversation.outstanding).toBe(3)
    writing.cancel()
    failureResultOf(writing).trap(CancelledError)
    expect([source.conversation.outstanding, sink.producer]).toEqual([0, undefined])
  })

  it('may pause and resume the connection by hand', () => {
    const { conversation, text, transport } = conversing()
    const { log } = heard(text)
    conversation.pauseProducing()
    transport.receive('one\r\n')
    expect([log, transport.producerState]).toEqual([[], 'paused'])
    conversation.resumeProducing()
    expect([log, transport.producerState]).toEqual([['one'], 'producing'])
  })

  it('and a protocol that does not stop inside of a chunk: what it says waits, in order', () => {
    class Eager extends Protocol {
      byteReceived(_byte: number): void {}
      override dataReceived(chunk: Uint8Array) {
        for (const byte of chunk) this.byteReceived(byte)
      }
    }
    const conversation = new Conversation(
      receiverOf(
        () => new Eager(),
        'byteReceived',
        () => {},
      ),
      { limit: 2 },
    )
    const transport = connected(conversation.protocol)
    const hands: { readonly byte: number; readonly inHand: Hold }[] = []
    conversation.subscribe((byte) => hands.push({ byte, inHand: hold() }))
    transport.receive(Uint8Array.of(1, 2, 3, 4, 5))
    expect([hands.length, conversation.outstanding, transport.producerState]).toEqual([2, 5, 'paused'])
    for (let index = 0; index < 5; index++) hands[index]!.inHand.release()
    expect(hands.map(({ byte }) => byte)).toEqual([1, 2, 3, 4, 5])
    expect(transport.producerState).toBe('producing')
  })

  it.each([0, -1, 1.5, NaN])('cannot have a limit of %s', (limit) => {
    expect(() => new Conversation(lines(), { limit })).toThrow(RangeError)
  })
})

it('tells the trace who subscribed, what came, and how it ended', () => {
  const recorder = new Recorder({ now: () => new ManualClock().now() })
  const stop = setTracer(recorder)
  const { text, transport } = conversing()
  heard(text)
  heard(text).unsubscribe()
  transport.receive('one\r\n')
  transport.end()
  stop()
  const told = recorder.events.filter(({ k }) => k.startsWith('rx.')).map(({ k, on }) => `${k} ${on}`)
  expect(told).toEqual(['rx.sub o1', 'rx.sub o3', 'rx.unsub o3', 'rx.next o1', 'rx.complete o1'])
})
