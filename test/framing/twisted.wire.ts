/**
 * Our receivers with Twisted's own, over loopback: long sessions in both directions, byte for byte; and what both refuse.
 */
import { fileURLToPath } from 'node:url'
import {
  type ConnectionClosed,
  ConnectionDone,
  Deferred,
  equal,
  Factory,
  FileSender,
  Int16StringReceiver,
  Int32StringReceiver,
  Int8StringReceiver,
  type IPv4Address,
  join,
  LineReceiver,
  NetstringReceiver,
  Protocol,
  StringReceiver,
  TCPClientEndpoint,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { connected } from 'couplet/testing'
import * as fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { Started } from '../poetry/programs.ts'
import { pythonWith } from '../python.ts'
import { fromLatin1, toLatin1 } from './line-model.ts'

const python = pythonWith(['twisted'], 'python3-twisted')
const script = fileURLToPath(new URL('./twisted_peer.py', import.meta.url))
const reactor = new NodeReactor()
const started = new Started()
afterAll(() => started.end())

/** What the peer allows too. */
const maxLength = 100_000

type Talker = (LineReceiver | StringReceiver) & {
  messages: Uint8Array[]
  raw: Uint8Array[]
  whenLost: Deferred<ConnectionClosed>
}

/** Remembers what arrives, as it is and as messages. */
function talker(kind: Kind, onMessage: (talker: Talker) => void = () => {}): Talker {
  const protocol = Object.assign(kinds[kind](), {
    messages: new Array<Uint8Array>(),
    raw: new Array<Uint8Array>(),
    whenLost: new Deferred<ConnectionClosed>(),
    maxLength,
  })
  const received = (message: Uint8Array): void => {
    protocol.messages.push(message)
    onMessage(protocol)
  }
  if (protocol instanceof StringReceiver) protocol.stringReceived = received
  else protocol.lineReceived = received
  const dataReceived = protocol.dataReceived.bind(protocol)
  protocol.dataReceived = (chunk) => {
    protocol.raw.push(chunk)
    dataReceived(chunk)
  }
  protocol.connectionLost = (reason) => protocol.whenLost.callback(reason)
  return protocol
}

type Kind = 'lines' | 'netstrings' | 'int8' | 'int16' | 'int32'

const kinds: Readonly<Record<Kind, () => LineReceiver | StringReceiver>> = {
  lines: () =>
    new (class extends LineReceiver {
      override lineReceived(): void {}
    })(),
  netstrings: () =>
    new (class extends NetstringReceiver {
      override stringReceived(): void {}
    })(),
  int8: () =>
    new (class extends Int8StringReceiver {
      override stringReceived(): void {}
    })(),
  int16: () =>
    new (class extends Int16StringReceiver {
      override stringReceived(): void {}
    })(),
  int32: () =>
    new (class extends Int32StringReceiver {
      override stringReceived(): void {}
    })(),
}
const names = Object.keys(kinds) as Kind[]

/** Some thousand messages, most of them short; and what they are on the wire, if we send them. */
function session(kind: Kind): { messages: readonly Uint8Array[]; bytes: Uint8Array } {
  const short = fc.uint8Array({ maxLength: 60 })
  const text = fc.string({ unit: fc.constantFrom('a', '\r', '\n', ',', ':', '0', '\0'), maxLength: 20 }).map(toLatin1)
  const long = fc.uint8Array({ minLength: 100, maxLength: kind === 'int8' ? 255 : 4000, size: 'max' })
  const message = fc.oneof(
    { weight: 20, arbitrary: short },
    { weight: 20, arbitrary: text },
    { weight: 1, arbitrary: long },
  )
  const messages = fc
    .sample(message, { numRuns: 5000, seed: 20_261_125 })
    .filter((one) => kind !== 'lines' || !fromLatin1(one).includes('\r\n'))
  const sender = kinds[kind]()
  const transport = connected(sender)
  for (const one of messages) send(sender, one)
  return { messages, bytes: transport.value() }
}

function send(protocol: LineReceiver | StringReceiver, message: Uint8Array): void {
  if (protocol instanceof StringReceiver) protocol.sendString(message)
  else protocol.sendLine(message)
}

/** `bytes` in pieces of 1 to 1,000 bytes, the small ones as likely as the large. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  const sizes = fc.sample(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1000 })), {
    numRuns: 100,
    seed: 1,
  })
  for (let start = 0, count = 0; start < bytes.length; count++) {
    const size = sizes[count % sizes.length]!
    yield bytes.subarray(start, start + size)
    start += size
  }
}

async function toTwisted<P extends Protocol>(kind: Kind, protocol: P): Promise<P> {
  const [[, port = ''] = []] = await started.program(python!, script, 'listen', kind).prints(/^listening on (\d+)$/)
  return new TCPClientEndpoint(reactor, '127.0.0.1', Number(port)).connect(Factory.forProtocol(() => protocol))
}

/** Both lists the same; a list of thousands of differences helps nobody. */
function expectSame(received: readonly Uint8Array[], sent: readonly Uint8Array[]): void {
  const different = sent.findIndex((message, index) => !equal(message, received[index] ?? toLatin1('missing')))
  expect([received.length, different]).toEqual([sent.length, -1])
}

describe.skipIf(python === undefined)('Twisted', () => {
  it.each(names)('takes %s from us and sends them back, byte for byte', async (kind) => {
    const { messages, bytes } = session(kind)
    expect(messages.length).toBeGreaterThan(4000)
    const protocol = talker(kind, (it) => {
      if (it.messages.length === messages.length) it.transport.loseConnection()
    })
    await toTwisted(kind, protocol)
    for (const message of messages) send(protocol, message)
    expect(await protocol.whenLost).toBeInstanceOf(ConnectionDone)
    expectSame(protocol.messages, messages)
    expectSame([join(protocol.raw)], [bytes])
  })

  it.each(names)('takes %s that come in pieces', async (kind) => {
    const { messages, bytes } = session(kind)
    const protocol = talker(kind, (it) => {
      if (it.messages.length === messages.length) it.transport.loseConnection()
    })
    await toTwisted(kind, protocol)
    expect(await new FileSender().beginFileTransfer(pieces(bytes), protocol.transport)).toBe(bytes.length)
    expect(await protocol.whenLost).toBeInstanceOf(ConnectionDone)
    expectSame(protocol.messages, messages)
    expectSame([join(protocol.raw)], [bytes])
  })

  it.each(names)('comes to our server, which begins: %s', async (kind) => {
    const { messages, bytes } = session(kind)
    const protocol = talker(kind, (it) => {
      if (it.messages.length === messages.length) it.transport.loseConnection()
    })
    protocol.connectionMade = () => {
      for (const message of messages) send(protocol, message)
    }
    const port = await reactor.listenTCP(
      0,
      Factory.forProtocol(() => protocol),
      { interface: '127.0.0.1' },
    )
    const program = started.program(python!, script, 'connect', kind, String((port.host as IPv4Address).port))
    expect(await protocol.whenLost).toBeInstanceOf(ConnectionDone)
    expect(await program.ended).toEqual({ code: 0, stdout: '', stderr: '' })
    await port.stopListening({ drain: 0 })
    expectSame(protocol.messages, messages)
    expectSame([join(protocol.raw)], [bytes])
  })

  it.each<[Kind, string, string]>([
    ['lines', 'good\r\n', `${'x'.repeat(maxLength + 1)}\r\n`],
    ['lines', 'good\r\n', 'x'.repeat(maxLength + 2)],
    ['netstrings', '4:good,', '05:hello,'],
    ['netstrings', '4:good,', '00:,'],
    ['netstrings', '4:good,', '5:hello;'],
    ['netstrings', '4:good,', ':,'],
    ['netstrings', '4:good,', '5hello,'],
    ['netstrings', '4:good,', '+5:hello,'],
    ['netstrings', '4:good,', '-1:x,'],
    ['netstrings', '4:good,', ' 5:hello,'],
    ['netstrings', '4:good,', '100001'],
    ['int32', '\0\0\0\x04good', '\0\x01\x86\xa1'],
    ['int32', '\0\0\0\x04good', '\xff\xff\xff\xff'],
  ])('refuses the same %s as we do, after %j: %#', async (kind, good, bad) => {
    class Raw extends Protocol {
      readonly whenLost = new Deferred<ConnectionClosed>()
      readonly raw: Uint8Array[] = []
      override connectionMade(): void {
        this.transport.writeSequence([toLatin1(good), toLatin1(bad)])
      }
      override dataReceived(chunk: Uint8Array): void {
        this.raw.push(chunk)
      }
      override connectionLost(reason: ConnectionClosed): void {
        this.whenLost.callback(reason)
      }
    }
    const raw = await toTwisted(kind, new Raw())
    await raw.whenLost
    expect(fromLatin1(join(raw.raw))).toBe(good)
    const ours = talker(kind)
    const transport = connected(ours)
    transport.receive(toLatin1(good + bad))
    expect([ours.messages.map(fromLatin1), transport.cause?.name]).toEqual([
      ['good'],
      expect.stringMatching(/^(LineTooLong|FrameTooLong|BadNetstring)$/),
    ])
  })
})
