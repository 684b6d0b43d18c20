/** AMP with Twisted's own at the other end, both ways round. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  amp,
  type ConnectionClosed,
  ConnectionDone,
  Deferred,
  equal,
  Factory,
  type IPv4Address,
  join as joined,
  type ListeningPort,
  TCPClientEndpoint,
  TLSError,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { connected } from 'couplet/testing'
import * as fc from 'fast-check'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { ca, pem, server } from '../../node/certificates.ts'
import { type Ended, Started } from '../../poetry/programs.ts'
import { reports } from '../../reports.ts'
import { Everything, everything } from './argument-values.ts'

/** A Python that has Twisted and what it needs for TLS: Debian's, if the one that comes first has not. */
const python = ['python3', '/usr/bin/python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import twisted, OpenSSL, service_identity'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})
if (python === undefined) {
  const packages = 'python3-twisted python3-openssl python3-service-identity'
  console.error(`SKIPPED: no Twisted with TLS to talk to. Install it (apt-get install ${packages})`)
}

const script = join(import.meta.dirname, 'twisted_peer.py')
const reactor = new NodeReactor()
const started = new Started()
afterAll(() => started.end())

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
const Bytes = amp.command('Bytes', { arguments: { string: amp.String() }, response: { string: amp.String() } })
const Say = amp.command('Say', { arguments: { text: amp.Unicode() }, requiresAnswer: false })
const Heard = amp.command('Heard', { response: { text: amp.Unicode() } })
const AskBack = amp.command('AskBack', {
  arguments: { keys: amp.Integer({ as: 'number' }), size: amp.Integer({ as: 'number' }) },
  response: { keys: amp.Integer({ as: 'number' }) },
})
const Unheard = amp.command('Unheard')
/** Its many arguments are not declared, and skipped. */
const Long = amp.command('Long', { response: { keys: amp.Integer({ as: 'number' }) } })

class Peer extends amp.AMP {
  readonly raw: Uint8Array[] = []
  readonly #lost = new Deferred<ConnectionClosed>()
  #heard = ''

  constructor(locator?: amp.CommandLocator) {
    super(locator)
    this.respond(Everything, (values) => values)
    this.respond(Sum, ({ a, b }) => ({ total: a + b }))
    this.respond(Divide, async ({ numerator, denominator }) => {
      if (numerator === 13) throw new Error('the password is 12345')
      if (numerator === 99) throw new OutOfPaper('empty')
      if (denominator === 0) throw new ZeroDivisionError('nothing to divide by')
      return Promise.resolve({ result: numerator / denominator })
    })
    this.respond(Say, ({ text }) => void (this.#heard += text))
    this.respond(Heard, () => ({ text: this.#heard }))
    this.respond(Long, () => ({ keys: 0 }))
  }

  get whenLost(): Deferred<ConnectionClosed> {
    return this.#lost
  }

  override dataReceived(chunk: Uint8Array): void {
    this.raw.push(chunk)
    super.dataReceived(chunk)
  }

  override connectionLost(reason: ConnectionClosed): void {
    void super.connectionLost(reason)
    this.#lost.callback(reason)
  }
}

/** Our client, and Twisted's server. */
async function toTwisted(): Promise<Peer> {
  const [[, port = ''] = []] = await started.program(python!, script, 'listen').prints(/^listening on (\d+)$/)
  const endpoint = new TCPClientEndpoint(reactor, '127.0.0.1', Number(port))
  const peer = await endpoint.connect(Factory.forProtocol(() => new Peer()))
  onTestFinished(() => peer.transport.abortConnection())
  return peer
}

/** Twisted's client, and our server. @returns what the client printed, and our end of it */
async function fromTwisted(
  what: readonly string[],
  locator?: amp.CommandLocator,
): Promise<{ printed: string[]; ended: Ended; peer: Peer }> {
  const peer = new Peer(locator)
  const port: ListeningPort = await reactor.listenTCP(
    0,
    Factory.forProtocol(() => peer),
    { interface: '127.0.0.1' },
  )
  const program = started.program(python!, script, 'connect', String((port.host as IPv4Address).port), ...what)
  const ended = await program.ended
  await port.stopListening({ drain: 0 })
  return { printed: ended.stdout.trimEnd().split('\n'), ended, peer }
}

const mebibyte = 1024 * 1024

describe.skipIf(python === undefined)("Twisted's server", () => {
  it('gives us back values of every type, in the very bytes that we send', async () => {
    const peer = await toTwisted()
    for (const values of fc.sample(everything, { numRuns: 500, seed: 20_261_125 })) {
      peer.raw.length = 0
      expect(await peer.callRemote(Everything, values)).toEqual(values)
      // The same pairs, in the same order, as in our answer to the same question.
      expect(pairs(joined(peer.raw))).toEqual(pairs(ourAnswer(values)))
    }
  })

  it('answers with a declared error, and goes on', async () => {
    const peer = await toTwisted()
    await expect(peer.callRemote(Divide, { numerator: 1, denominator: 0 }).toPromise()).rejects.toThrow(
      new ZeroDivisionError('nothing to divide by'),
    )
    await expect(peer.callRemote(Unheard).toPromise()).rejects.toThrow(amp.UnhandledCommand)
    expect(await peer.callRemote(Divide, { numerator: 1, denominator: 4 })).toEqual({ result: 0.25 })
  })

  it.each<[string, number, new (...args: never[]) => Error]>([
    ['one that is not declared', 13, amp.UnknownRemoteError],
    ['a fatal one', 99, OutOfPaper],
  ])('answers with an error, and closes: %s', async (_, numerator, errorClass) => {
    const peer = await toTwisted()
    const failing = peer.callRemote(Divide, { numerator, denominator: 1 })
    await expect(failing.toPromise()).rejects.toThrow(errorClass)
    expect(await peer.whenLost).toBeInstanceOf(ConnectionDone)
  })

  it('answers ten thousand calls that are under way at once', async () => {
    const peer = await toTwisted()
    const calls = Array.from({ length: 10_000 }, (_, index) => peer.callRemote(Sum, { a: BigInt(index), b: 1n }))
    const totals = await Promise.all(calls)
    expect(totals.every(({ total }, index) => total === BigInt(index + 1))).toBe(true)
  })

  it('hears what wants no answer', async () => {
    const peer = await toTwisted()
    peer.callRemote(Say, { text: 'hello' })
    expect(await peer.callRemote(Heard)).toEqual({ text: 'hello' })
  })

  it('takes a value as large as can be', async () => {
    const peer = await toTwisted()
    const string = new Uint8Array(65_535).fill(120)
    const back = await peer.callRemote(Bytes, { string })
    expect(equal(back.string, string)).toBe(true)
    await expect(peer.callRemote(Bytes, { string: new Uint8Array(65_536) }).toPromise()).rejects.toThrow(amp.TooLong)
  })

  it.each([
    [1000, 20_000],
    [100, mebibyte],
  ])('sends a box of %d keys and %d bytes, which is as large as can be', async (keys, size) => {
    const peer = await toTwisted()
    expect(await peer.callRemote(AskBack, { keys, size })).toEqual({ keys: 0 })
  })

  it.each<[number, number, string]>([
    [1001, 20_000, 'TooManyKeys'],
    [100, mebibyte + 1, 'BoxTooLarge'],
  ])('sends a box of %d keys and %d bytes, which is too large', async (keys, size, name) => {
    const peer = await toTwisted()
    const asked = peer.callRemote(AskBack, { keys, size }).toPromise()
    await expect(asked).rejects.toMatchObject({ name: 'ConnectionAborted', cause: { name } })
    expect((await peer.whenLost).cause).toMatchObject({ name })
  })

  it('goes on with TLS, and nothing that we say is lost', async () => {
    const peer = await toTwisted()
    const before = peer.callRemote(Sum, { a: 1n, b: 1n })
    const secured = peer.startTLS({ ca, serverName: 'localhost' })
    const after = peer.callRemote(Sum, { a: 20n, b: 22n })
    await secured
    expect(peer.transport.tls?.verified).toBe(true)
    expect([await before, await after]).toEqual([{ total: 2n }, { total: 42n }])
  })

  it('is not believed if it shows the wrong certificate', async () => {
    const peer = await toTwisted()
    const secured = peer.startTLS({ ca: pem('stranger.pem'), serverName: 'localhost' })
    const after = peer.callRemote(Sum, { a: 20n, b: 22n }).toPromise()
    await expect(secured.toPromise()).rejects.toThrow(TLSError)
    await expect(after).rejects.toThrow()
  })
})

describe.skipIf(python === undefined)("Twisted's client", () => {
  it('gets values of every type back from us', async () => {
    expect((await fromTwisted(['everything'])).printed).toEqual(['same True', 'same True', 'lost ConnectionLost'])
  })

  it('gets our declared errors, and our UNHANDLED', async () => {
    expect((await fromTwisted(['errors'])).printed.slice(0, 3)).toEqual([
      'failed ZeroDivisionError nothing to divide by',
      "failed UnhandledCommand (b'UNHANDLED', 'Unhandled Command: \"Unheard\"')",
      "answered {'result': 0.25}",
    ])
  })

  it('learns nothing of what we did not declare', async () => {
    const reported = reports()
    const { ended, peer } = await fromTwisted(['undeclared'])
    expect(ended.stdout).toContain('failed UnknownRemoteError')
    expect(ended.stdout + ended.stderr).not.toContain('password')
    expect((await peer.whenLost).cause).toMatchObject({ message: 'the password is 12345' })
    expect(reported).toHaveLength(1)
  })

  it('gets a fatal error, and the end', async () => {
    const { printed, peer } = await fromTwisted(['fatal'])
    expect(printed[0]).toBe('failed OutOfPaper empty')
    expect((await peer.whenLost).cause).toBeInstanceOf(OutOfPaper)
  })

  it('has ten thousand calls under way at once', async () => {
    expect((await fromTwisted(['pipelined', '10000'])).printed[0]).toBe('right 10000')
  })

  it('says what wants no answer', async () => {
    expect((await fromTwisted(['noanswer'])).printed[0]).toBe('heard hello')
  })

  it.each([
    ['1000', '20000'],
    ['100', String(mebibyte)],
  ])('sends a box of %s keys and %s bytes, which is as large as can be', async (keys, size) => {
    expect((await fromTwisted(['long', keys, size])).printed[0]).toBe('answered 0')
  })

  it.each([
    ['1001', '20000', 'TooManyKeys'],
    ['100', String(mebibyte + 1), 'BoxTooLarge'],
  ])('sends a box of %s keys and %s bytes, which is too large', async (keys, size, name) => {
    const { printed, peer } = await fromTwisted(['long', keys, size])
    expect(printed.some((line) => line.startsWith('failed Connection'))).toBe(true)
    expect((await peer.whenLost).cause).toMatchObject({ name })
  })

  it('goes on with TLS', async () => {
    const locator = new amp.CommandLocator().respondToStartTLS(server)
    const { printed } = await fromTwisted(['tls'], locator)
    expect(printed.slice(0, 2)).toEqual(['secured server.example', 'total 42'])
  })

  it('does not believe us if we show the wrong certificate', async () => {
    const locator = new amp.CommandLocator().respondToStartTLS(server)
    const { printed, peer } = await fromTwisted(['tls', 'stranger.pem'], locator)
    expect(printed[0]).toBe('failed OpenSSL.SSL Error')
    expect((await peer.whenLost).cause).toBeInstanceOf(TLSError)
  })
})

function ourAnswer(values: Everything): Uint8Array {
  const answering = connected(new amp.AMP().respond(Everything, (got) => got))
  const asker = new amp.AMP()
  const question = connected(asker)
  asker.callRemote(Everything, values).addErrback(() => {})
  answering.receive(question.value())
  return answering.value()
}

/** All pairs of an answer but that which says to what. */
function pairs(bytes: Uint8Array): [string, string][] {
  return [...new amp.Box(bytes)].slice(1).map(([key, value]) => [key, Buffer.from(value).toString('latin1')])
}
