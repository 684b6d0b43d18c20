/** Calls between two peers: what is asked, what is answered, and what goes wrong in between. */
import {
  amp,
  type ConnectionAborted,
  type ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  Deferred,
  flushUnhandled,
  Recorder,
  setTracer,
  toText,
} from 'couplet'
import { assertNoResult, connected, failureResultOf, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reportsOfEachTest } from '../../reports.ts'
import { TwoPeers } from './two-peers.ts'
import { box } from './wire-boxes.ts'

class ZeroDivisionError extends Error {}
class OutOfPaper extends Error {}

const Sum = amp.command('Sum', {
  arguments: { a: amp.Integer(), b: amp.Integer() },
  response: { total: amp.Integer() },
})
const Divide = amp.command('Divide', {
  arguments: { numerator: amp.Float(), denominator: amp.Float() },
  response: { result: amp.Float() },
  errors: { ZERO_DIVISION: ZeroDivisionError },
  fatalErrors: { NO_PAPER: OutOfPaper },
})
const Say = amp.command('Say', { arguments: { text: amp.Unicode() }, requiresAnswer: false })
const Ping = amp.command('Ping')

class Peer extends amp.AMP {
  reason: ConnectionClosed | undefined
  override connectionLost(reason: ConnectionClosed): void {
    this.reason = reason
    void super.connectionLost(reason)
  }
}

const reports = reportsOfEachTest()

/** A client of a server for which `prepare` says who answers. */
function talking(prepare: (server: Peer) => unknown = () => {}): {
  client: Peer
  server: Peer
  peers: TwoPeers
} {
  const client = new Peer()
  const server = new Peer()
  prepare(server)
  return { client, server, peers: new TwoPeers(client, server) }
}

describe('A call', () => {
  it('is answered with what the responder returns', () => {
    const { client, peers } = talking((server) => server.respond(Sum, ({ a, b }) => ({ total: a + b })))
    const total = client.callRemote(Sum, { a: 13n, b: 81n })
    assertNoResult(total)
    peers.talk()
    expect(successResultOf(total)).toEqual({ total: 94n })
  })

  it('is, and its answer too, byte for byte what Twisted sends', () => {
    const { client, server, peers } = talking((it) => it.respond(Sum, ({ a, b }) => ({ total: a + b })))
    client.callRemote(Sum, { a: 13n, b: 81n })
    expect(toText(peers.client.value())).toBe(
      '\0\x04_ask\0\x011\0\x08_command\0\x03Sum\0\x01a\0\x0213\0\x01b\0\x0281\0\0',
    )
    peers.server.receive(peers.client.value())
    expect(toText(peers.server.value())).toBe('\0\x07_answer\0\x011\0\x05total\0\x0294\0\0')
    void server
  })

  it('without arguments and response needs neither', () => {
    const { client, peers } = talking((server) => server.respond(Ping, () => {}))
    const pong = client.callRemote(Ping)
    peers.talk()
    expect(successResultOf(pong)).toEqual({})
  })

  it('may go in both directions at once', () => {
    const { client, server, peers } = talking((it) => it.respond(Sum, ({ a, b }) => ({ total: a + b })))
    client.respond(Sum, ({ a, b }) => ({ total: a * b }))
    const sum = client.callRemote(Sum, { a: 3n, b: 4n })
    const product = server.callRemote(Sum, { a: 3n, b: 4n })
    peers.talk()
    expect([successResultOf(sum).total, successResultOf(product).total]).toEqual([7n, 12n])
  })

  it('may be answered later, by a Deferred or a promise, and in another order than it was asked', async () => {
    const first = new Deferred<{ total: bigint }>()
    const answers = [first, Promise.resolve({ total: 2n })]
    const { client, peers } = talking((server) => server.respond(Sum, () => answers.shift()!))
    const one = client.callRemote(Sum, { a: 1n, b: 1n })
    const two = client.callRemote(Sum, { a: 1n, b: 1n })
    peers.talk()
    assertNoResult(two)
    await Promise.resolve()
    await Promise.resolve()
    peers.talk()
    assertNoResult(one)
    expect(successResultOf(two)).toEqual({ total: 2n })
    first.callback({ total: 1n })
    peers.talk()
    expect(successResultOf(one)).toEqual({ total: 1n })
  })

  it('can be asked ten thousand times before the first answer', () => {
    const { client, peers } = talking((server) => server.respond(Sum, ({ a, b }) => ({ total: a + b })))
    const totals = Array.from({ length: 10_000 }, (_, index) => client.callRemote(Sum, { a: BigInt(index), b: 1n }))
    peers.talk()
    expect(totals.map((total) => successResultOf(total).total)).toEqual(totals.map((_, index) => BigInt(index + 1)))
  })

  it('that wants no answer gets none, and the responder is called', () => {
    const said: string[] = []
    const { client, peers } = talking((server) => server.respond(Say, ({ text }) => void said.push(text)))
    expect(client.callRemote(Say, { text: 'hello' })).toBeUndefined()
    expect(toText(peers.client.value())).toBe('\0\x08_command\0\x03Say\0\x04text\0\x05hello\0\0')
    peers.talk()
    expect(said).toEqual(['hello'])
    expect(peers.server.value()).toHaveLength(0)
  })

  it('that was cancelled fails at once, and its late answer goes nowhere', () => {
    const answer = new Deferred<{ total: bigint }>()
    const { client, peers } = talking((server) => server.respond(Sum, () => answer))
    const total = client.callRemote(Sum, { a: 1n, b: 2n })
    peers.talk()
    total.cancel()
    expect(failureResultOf(total).value).toMatchObject({ code: 'ERR_CANCELLED' })
    answer.callback({ total: 3n })
    peers.talk()
    expect(peers.client.disconnecting).toBe(false)
    expect(reports).toEqual([])
    expect(flushUnhandled()).toEqual([])
  })

  it('that was cancelled may be answered with nonsense', () => {
    const { client, peers } = talking()
    client.callRemote(Sum, { a: 1n, b: 2n }).cancel()
    peers.client.receive(box({ _answer: '1', total: 'three' }))
    expect(peers.client.disconnecting).toBe(false)
  })

  it('is a frame in the trace, and so is its answer', () => {
    const { client, peers } = talking((server) => server.respond(Ping, () => {}))
    const recorder = new Recorder({ now: () => 0 })
    const restore = setTracer(recorder)
    client.callRemote(Ping)
    peers.talk()
    restore()
    const frames = recorder.events.filter(({ k }) => k.startsWith('frame.'))
    expect(frames.map(({ k, n, type }) => [k, n, type])).toEqual([
      ['frame.out', 27, 'amp box'],
      ['frame.in', 27, 'amp box'],
      ['frame.out', 14, 'amp box'],
      ['frame.in', 14, 'amp box'],
    ])
  })

  it('is told who asks, when it is answered', () => {
    let asking: amp.AMP | undefined
    const { client, server, peers } = talking((it) =>
      it.respond(Ping, (_, peer) => {
        asking = peer
      }),
    )
    client.callRemote(Ping)
    peers.talk()
    expect(asking).toBe(server)
  })
})

describe('Who answers', () => {
  const shared = new amp.CommandLocator().respond(Sum, ({ a, b }) => ({ total: a + b }))

  it('may be said once for all connections', () => {
    for (const server of [new Peer(shared), new Peer(shared)]) {
      const client = new Peer()
      const peers = new TwoPeers(client, server)
      const total = client.callRemote(Sum, { a: 1n, b: 2n })
      peers.talk()
      expect(successResultOf(total).total).toBe(3n)
    }
  })

  it('may be said otherwise for one of them, and the others do not notice', () => {
    const odd = new Peer(shared).respond(Sum, () => ({ total: 0n }))
    const totals = [odd, new Peer(shared)].map((server) => {
      const client = new Peer()
      const peers = new TwoPeers(client, server)
      const total = client.callRemote(Sum, { a: 1n, b: 2n })
      peers.talk()
      return successResultOf(total).total
    })
    expect(totals).toEqual([0n, 3n])
  })

  it('may be said in a subclass', () => {
    class Calculator extends amp.AMP {
      #asked = 0n
      constructor() {
        super()
        this.respond(Sum, ({ a, b }) => ({ total: a + b + ++this.#asked }))
      }
    }
    const client = new Peer()
    const peers = new TwoPeers(client, new Calculator())
    const total = client.callRemote(Sum, { a: 1n, b: 2n })
    peers.talk()
    expect(successResultOf(total).total).toBe(4n)
  })
})

describe('A responder that fails', () => {
  it('with a declared error fails the call with the same, and nothing else happens', () => {
    const { client, peers } = talking((server) =>
      server.respond(Divide, ({ numerator, denominator }) => {
        if (denominator === 0) throw new ZeroDivisionError('nothing to divide by')
        return { result: numerator / denominator }
      }),
    )
    const failing = client.callRemote(Divide, { numerator: 1, denominator: 0 })
    const after = client.callRemote(Divide, { numerator: 1, denominator: 4 })
    peers.talk()
    const { value } = failureResultOf(failing, ZeroDivisionError)
    expect((value as Error).message).toBe('nothing to divide by')
    expect(successResultOf(after)).toEqual({ result: 0.25 })
    expect(reports).toEqual([])
  })

  it('later is the same', async () => {
    const { client, peers } = talking((server) =>
      server.respond(Divide, async () => Promise.reject(new ZeroDivisionError('late'))),
    )
    const failing = client.callRemote(Divide, { numerator: 1, denominator: 0 })
    peers.talk()
    await new Promise((resolve) => setImmediate(resolve))
    peers.talk()
    failureResultOf(failing, ZeroDivisionError)
    expect(reports).toEqual([])
  })

  it('with a declared fatal error fails the call with the same, and closes', () => {
    const { client, server, peers } = talking((it) =>
      it.respond(Divide, () => {
        throw new OutOfPaper('empty')
      }),
    )
    const failing = client.callRemote(Divide, { numerator: 1, denominator: 1 })
    peers.talk()
    failureResultOf(failing, OutOfPaper)
    peers.server.end()
    expect((server.reason as ConnectionAborted).cause).toBeInstanceOf(OutOfPaper)
    expect(reports).toEqual([])
  })

  it.each(['throws', 'rejects', 'errbacks'])(
    'with anything else tells the peer nothing, is reported, and closes: it %s',
    async (how) => {
      const secret = new Error('the password is 12345')
      const { client, server, peers } = talking((it) =>
        it.respond(Sum, () => {
          if (how === 'throws') throw secret
          if (how === 'rejects') return Promise.reject(secret)
          const failed = new Deferred<{ total: bigint }>()
          failed.errback(secret)
          return failed
        }),
      )
      let failed: unknown
      client.callRemote(Sum, { a: 1n, b: 1n }).addErrback(({ value }) => {
        failed = value
      })
      peers.server.receive(peers.client.value())
      await new Promise((resolve) => setImmediate(resolve))
      expect(toText(peers.server.value())).toBe(
        '\0\x06_error\0\x011\0\x0b_error_code\0\x07UNKNOWN\0\x12_error_description\0\x0dUnknown Error\0\0',
      )
      peers.client.receive(peers.server.value())
      expect(failed).toBeInstanceOf(amp.UnknownRemoteError)
      expect(failed).toMatchObject({ errorCode: 'UNKNOWN', description: 'Unknown Error' })
      peers.server.end()
      expect(server.reason?.cause).toBe(secret)
      expect(reports.map(({ error: one, what }) => [one, what])).toEqual([[secret, 'The responder of Sum failed']])
      expect(flushUnhandled()).toEqual([])
    },
  )

  it('while nobody waits for an answer is reported', () => {
    const { client, peers } = talking((server) =>
      server.respond(Say, () => {
        throw new Error('deaf')
      }),
    )
    client.callRemote(Say, { text: 'hello' })
    peers.talk()
    expect(reports).toHaveLength(1)
    expect(peers.server.value()).toHaveLength(0)
    expect(peers.server.disconnecting).toBe(true)
  })

  it.each<[string, object]>([
    ['of another type', { total: 'three' }],
    ['missing', {}],
    ['too large', { total: 10n ** 5000n }],
  ])('to return what can be sent is reported, and fails that call only: it is %s', (_, returned) => {
    const { client, peers } = talking((server) => server.respond(Sum, () => returned as { total: bigint }))
    const failing = client.callRemote(Sum, { a: 1n, b: 1n })
    peers.talk()
    failureResultOf(failing, amp.UnknownRemoteError)
    expect(reports.map(({ error }) => error)).toEqual([expect.any(amp.BadLocalReturn)])
    expect(peers.server.disconnecting).toBe(false)
  })
})

describe('A command that nobody answers', () => {
  it('fails the call, and nothing else happens', () => {
    const { client, peers } = talking()
    const failing = client.callRemote(Ping)
    peers.talk()
    const error = failureResultOf(failing, amp.UnhandledCommand).value as amp.UnhandledCommand
    expect(error.description).toBe('Unhandled Command: "Ping"')
    expect(error).toBeInstanceOf(amp.RemoteAmpError)
    expect(peers.server.disconnecting).toBe(false)
    expect(reports).toEqual([])
  })

  it('is reported if the peer wants no answer', () => {
    const { client, peers } = talking()
    client.callRemote(Say, { text: 'hello' })
    peers.talk()
    expect(reports.map(({ error }) => (error as Error).message)).toEqual(['Unhandled Command: "Say"'])
    expect(peers.server.disconnecting).toBe(false)
  })

  it.each(['__proto__', 'constructor', 'toString', 'callRemote', 'StartTLS', '', '\x1b[2J'])(
    'may be called %j',
    (name) => {
      const { peers } = talking((server) => server.respond(Ping, () => {}))
      peers.server.receive(box({ _ask: '1', _command: name, ['__proto__']: 'x', constructor: 'y' }))
      expect(toText(peers.server.value())).toContain('UNHANDLED')
      expect(toText(peers.server.value())).not.toContain('\x1b')
      expect(peers.server.disconnecting).toBe(false)
      expect(Object.prototype).not.toHaveProperty('x')
    },
  )
})

describe('An error from the peer', () => {
  it('with a code that was not declared says it', () => {
    const { client, peers } = talking()
    const failing = client.callRemote(Ping)
    peers.client.receive(box({ _error: '1', _error_code: 'TEAPOT', _error_description: 'short\x1b[2J and stout' }))
    const error = failureResultOf(failing, amp.UnknownRemoteError).value as amp.UnknownRemoteError
    expect(error.errorCode).toBe('TEAPOT')
    expect(error.description).toBe('short\x1b[2J and stout')
    expect(error.message).toBe('the peer answered with the error TEAPOT: short\\x1b[2J and stout')
  })

  it('without a code fails its call', () => {
    const { client, peers } = talking()
    const failing = client.callRemote(Ping)
    peers.client.receive(box({ _error: '1' }))
    failureResultOf(failing, amp.UnknownRemoteError)
    expect(peers.client.disconnecting).toBe(false)
  })

  it('that nobody handles is reported once, and the connection kept', () => {
    const { client, peers } = talking()
    client.callRemote(Ping)
    peers.talk()
    expect(flushUnhandled().map(({ error }) => error)).toEqual([expect.any(amp.UnhandledCommand)])
    expect(peers.client.disconnecting).toBe(false)
  })
})

describe('Values that cannot be sent', () => {
  const Note = amp.command('Note', { arguments: { text: amp.Unicode(), bytes: amp.String().optional() } })

  it.each<[string, object, amp.InvalidSignature['name'], RegExp]>([
    ['one is missing', {}, 'InvalidSignature', /text is missing in the arguments of Note: it is a Unicode/],
    ['one is of another type', { text: 1 }, 'InvalidSignature', /text in the arguments of Note: 1 is not a string/],
    ['one is too long', { text: 'x'.repeat(65_536) }, 'TooLong', /text in the arguments of Note has 65536 bytes/],
  ])('fail the call, and nothing is sent: %s', (_, values, name, message) => {
    const { client, peers } = talking()
    const failing = client.callRemote(Note, values as { text: string })
    expect(failureResultOf(failing).value).toMatchObject({ name, message: expect.stringMatching(message) as string })
    expect(peers.client.value()).toHaveLength(0)
  })

  it('are thrown at once where no answer comes', () => {
    const { client, peers } = talking()
    expect(() => client.callRemote(Say, { text: 'x'.repeat(65_536) })).toThrow(amp.TooLong)
    expect(peers.client.value()).toHaveLength(0)
  })

  it('leave the next call as it is', () => {
    const { client, peers } = talking((server) => server.respond(Note, () => {}))
    client.callRemote(Note, { text: 'x'.repeat(65_536) }).addErrback(() => {})
    const fine = client.callRemote(Note, { text: 'x'.repeat(65_535) })
    peers.talk()
    expect(successResultOf(fine)).toEqual({})
  })

  it('may ask something themselves while they are read', () => {
    const { client, peers } = talking((server) => server.respond(Sum, ({ a, b }) => ({ total: a + b })))
    let inner: Deferred<{ total: bigint }> | undefined
    const outer = client.callRemote(Sum, {
      a: 1n,
      get b() {
        inner = client.callRemote(Sum, { a: 10n, b: 10n })
        return 2n
      },
    })
    peers.talk()
    expect([successResultOf(outer).total, inner && successResultOf(inner).total]).toEqual([3n, 20n])
  })
})

describe('The end of a connection', () => {
  it.each([new ConnectionDone(), new ConnectionLost()])(
    'fails each call that waits, once, with its reason',
    (reason) => {
      const { client, peers } = talking((server) => server.respond(Sum, () => new Deferred<{ total: bigint }>()))
      const failed: unknown[] = []
      for (let count = 0; count < 1000; count++) {
        client.callRemote(Sum, { a: 1n, b: 1n }).addErrback(({ value }) => void failed.push(value))
      }
      peers.talk()
      peers.client.end(reason)
      expect(failed).toHaveLength(1000)
      expect(new Set(failed)).toEqual(new Set([reason]))
    },
  )

  it('fails calls that are made after it, or because of it, at once', () => {
    const { client, peers } = talking()
    const reason = new ConnectionLost()
    let again: Deferred<unknown> | undefined
    client.callRemote(Ping).addErrback(() => {
      again = client.callRemote(Ping)
    })
    peers.client.end(reason)
    expect(failureResultOf(again!).value).toBe(reason)
    expect(failureResultOf(client.callRemote(Ping)).value).toBe(reason)
    expect(() => client.callRemote(Say, { text: 'anybody?' })).not.toThrow()
    expect(flushUnhandled()).toEqual([])
  })

  it('fails calls of somebody who has begun to close', () => {
    const { client, peers } = talking((server) => server.respond(Ping, () => {}))
    peers.client.loseConnection()
    const late = client.callRemote(Ping)
    assertNoResult(late)
    peers.client.end()
    failureResultOf(late, ConnectionDone)
  })

  it('does not reach calls that are cancelled', () => {
    const { client, peers } = talking()
    client.callRemote(Ping).cancel()
    peers.client.end()
    expect(flushUnhandled()).toEqual([])
  })

  it('does not hurt a responder that is still at work', () => {
    const answer = new Deferred<{ total: bigint }>()
    const { client, peers } = talking((server) => server.respond(Sum, () => answer))
    client.callRemote(Sum, { a: 1n, b: 1n }).addErrback(() => {})
    peers.talk()
    peers.server.end(new ConnectionLost())
    answer.callback({ total: 2n })
    expect(peers.server.value()).toHaveLength(0)
    expect(reports).toEqual([])
  })

  it('comes before the beginning for who has no connection yet', () => {
    expect(failureResultOf(new amp.AMP().callRemote(Ping)).value).toMatchObject({
      message: 'a call needs a connection, which is not made yet',
    })
  })

  it('in the middle of a box is not a clean one', () => {
    const { client, peers } = talking()
    const waiting = client.callRemote(Ping)
    peers.client.receive(new Uint8Array([0, 1, 0x61]))
    peers.client.end()
    expect((failureResultOf(waiting, ConnectionLost).value as Error).cause).toMatchObject({ name: 'IncompleteFrame' })
  })
})

describe('A declaration', () => {
  const plain = amp.Integer()
  it.each<[string, () => unknown]>([
    ['has a name beyond Latin-1', () => amp.command('∑')],
    ['has a key beyond Latin-1', () => amp.command('Sum', { arguments: { ['∑']: plain } })],
    ['has a key without a character', () => amp.command('Sum', { response: { '': plain } })],
    ['has a key of 256 characters', () => amp.command('Sum', { response: { ['x'.repeat(256)]: plain } })],
    ['uses a key of AMP itself', () => amp.command('Sum', { arguments: { _ask: plain } })],
    ['changes what an object is', () => amp.command('Sum', { arguments: { __proto__: plain } })],
    ['says the same in brackets', () => amp.command('Sum', { arguments: { ['__proto__']: plain } })],
    ['takes a code of AMP itself', () => amp.command('Sum', { errors: { UNKNOWN: Error } })],
    ['has a list of what has such a key', () => amp.AmpList({ ['∑']: plain })],
  ])('that cannot be sent is refused at once: it %s', (_, declare) => {
    expect(declare).toThrow(TypeError)
  })

  it('may use any other name, and only what the peer sends is in the values', () => {
    const Odd = amp.command('Odd', {
      arguments: { constructor: amp.Unicode().optional(), toString: amp.Unicode().optional(), 'a-b': amp.Unicode() },
    })
    const got: object[] = []
    const { client, peers } = talking((server) => server.respond(Odd, (values) => void got.push(values)))
    client.callRemote(Odd, { 'a-b': 'x' } as never)
    client.callRemote(Odd, { 'a-b': 'x', constructor: 'y' } as never)
    peers.talk()
    expect(got.map((values) => Object.entries(values))).toEqual([
      [['a-b', 'x']],
      [
        ['a-b', 'x'],
        ['constructor', 'y'],
      ],
    ])
  })
})

it('an AMP on its own answers nobody', () => {
  const transport = connected(new amp.AMP())
  transport.receive(box({ _ask: '1', _command: 'Ping' }))
  expect(toText(transport.value())).toContain('UNHANDLED')
})
