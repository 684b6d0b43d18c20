/** The transform server and its client: answers in order, failures, limits. */
import * as fc from 'fast-check'
import {
  CancelledError,
  ConnectionLost,
  connectProtocol,
  Deferred,
  Factory,
  flushUnhandled,
  NetstringReceiver,
  Protocol,
  type PushProducer,
  TCPClientEndpoint,
  toBytes,
  toText,
} from 'couplet'
import {
  builtInTransforms,
  type Transform,
  TransformClientProtocol,
  TransformFactory,
  TransformFailed,
  transformPoem,
  TransformProtocol,
  TransformService,
} from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import {
  AccumulatingProtocol,
  connected,
  everyChunking,
  failureResultOf,
  type StringTransport,
  successResultOf,
} from 'couplet/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { reportsOfEachTest } from '../reports.ts'

const reports = reportsOfEachTest()
afterEach(() => expect(flushUnhandled()).toEqual([]))

const netstring = (text: string): string => `${toBytes(text).length}:${text},`

/** A service whose transform `later` ends when the test says so. */
function slowService() {
  const begun: Deferred<string>[] = []
  const cancelled: number[] = []
  const later: Transform = () => {
    const index = begun.length
    const result = new Deferred<string>(() => cancelled.push(index))
    begun.push(result)
    return result
  }
  return { service: new TransformService(new Map([...builtInTransforms, ['later', later]])), begun, cancelled }
}

/** The peer does not read, or reads again: what a transport tells its producer then. */
const slow = ({ producer }: StringTransport) => (producer as PushProducer).pauseProducing()
const fast = ({ producer }: StringTransport) => (producer as PushProducer).resumeProducing()

describe('the transforms that come with the program', () => {
  it.each([
    ['cummingsify', 'He WHO\nbinds\n', 'he who\nbinds\n'],
    ['shout', 'cœur ?', 'CŒUR ?'],
    ['backwards', 'one\ntwo\nthree\n', 'three\ntwo\none\n'],
    ['backwards', 'one\ntwo', 'two\none'],
    ['number', 'a\n'.repeat(10), Array.from({ length: 10 }, (_, i) => `${String(i + 1).padStart(2)}  a\n`).join('')],
    ['acrostic', 'He\n  does\n\nÉté\n', 'HdÉ\n'],
    ['shout', '', ''],
    ['number', '', '1  '],
  ])('%s makes %j into %j', (name, poem, result) => {
    expect(successResultOf(new TransformService().transform(name, poem))).toBe(result)
  })
})

describe('a transform service', () => {
  it('says which transforms there are if it is asked for another, and shows no byte of the name that could do harm', () => {
    const failure = failureResultOf(new TransformService().transform('\x1b[2J__proto__', 'poem'), TransformFailed)
    expect(String(failure.value)).toBe(
      String.raw`TransformFailed: there is no transform "\x1b[2J__proto__" (there are: cummingsify, shout, backwards, number, acrostic)`,
    )
  })

  it.each(['constructor', '__proto__', 'transform', ''])('cannot be talked into %j', (name) => {
    failureResultOf(new TransformService().transform(name, 'poem'), TransformFailed)
  })

  it('reports what broke in a transform, and does not tell it to strangers', () => {
    const broken = new Error('the database password is 1234')
    const service = new TransformService(
      new Map<string, Transform>([
        [
          'break',
          () => {
            throw broken
          },
        ],
      ]),
    )
    const { value } = failureResultOf(service.transform('break', 'poem'), TransformFailed)
    expect((value as Error).message).toBe('the transform "break" failed')
    expect(reports.map(({ error }) => error)).toEqual([broken])
  })
})

describe('a transform server', () => {
  it('answers krondo: NAME.POEM is answered with the poem, however the bytes arrive', () => {
    everyChunking(toBytes(netstring('cummingsify.Qui. Ça\n')), (chunks) => {
      const transport = connected(new TransformProtocol(new TransformService()))
      for (const chunk of chunks) transport.receive(chunk)
      expect(transport.text()).toBe(netstring('qui. ça\n'))
      expect(transport.disconnecting).toBe(false)
    })
  })

  it('answers ?NAME.POEM with + and the poem or - and the reason, and goes on', () => {
    const transport = connected(new TransformProtocol(new TransformService()))
    transport.receive(netstring('?shout.a'))
    transport.receive(netstring('?whisper.a'))
    transport.receive(netstring('?shout'))
    transport.receive(netstring('?shout.b'))
    expect(transport.text()).toBe(
      netstring('+A') +
        netstring('-there is no transform "whisper" (there are: cummingsify, shout, backwards, number, acrostic)') +
        netstring('-a question is NAME.POEM, and "?shout" has no dot') +
        netstring('+B'),
    )
    expect(transport.disconnecting).toBe(false)
  })

  it.each([
    ['whisper.a', 'there is no transform "whisper"'],
    ['shout', 'a question is NAME.POEM, and "shout" has no dot'],
  ])('hangs up on %s after the answers that came before, because krondo’s language has no word for it', (bad, why) => {
    const transport = connected(new TransformProtocol(new TransformService()))
    transport.receive(netstring('shout.a') + netstring(bad) + netstring('shout.b'))
    expect(transport.text()).toBe(netstring('A'))
    expect(transport.disconnecting).toBe(true)
    expect(transport.cause?.message).toContain(why)
  })

  it('refuses what is not UTF-8, and says so', () => {
    const transport = connected(new TransformProtocol(new TransformService()))
    transport.receive(new Uint8Array([...toBytes('8:?shout.'), 0xff, 0x2c]))
    expect(transport.text()).toBe(netstring(String.raw`-a poem is UTF-8, and "\xff" is not`))
  })

  it('answers in the order of the questions, whichever is ready first', () => {
    const { service, begun } = slowService()
    const transport = connected(new TransformProtocol(service))
    for (const question of ['later.1', 'shout.two', 'later.3', 'shout.four']) transport.receive(netstring(question))
    expect(transport.text()).toBe('')
    begun[1]?.callback('three')
    expect(transport.text()).toBe('')
    begun[0]?.callback('one')
    expect(transport.text()).toBe(['one', 'TWO', 'three', 'FOUR'].map(netstring).join(''))
  })

  it('does so for any order in which they become ready, and any speed of the client', () => {
    const schedule = fc.array(fc.oneof(fc.nat(9), fc.constantFrom('pause', 'resume')), { maxLength: 40 })
    fc.assert(
      fc.property(schedule, (steps) => {
        const { service, begun } = slowService()
        const protocol = new TransformProtocol(service, { maxPending: 4 })
        const transport = connected(protocol)
        const expected: string[] = []
        for (let index = 0; index < 10; index++) {
          transport.receive(netstring(index % 3 === 2 ? `shout.s${index}` : `later.${index}`))
          expected.push(netstring(index % 3 === 2 ? `S${index}` : `result ${index}`))
        }
        const asked = [0, 1, 3, 4, 6, 7, 9]
        const finish = (index: number): void => {
          const work = begun[index]
          if (work?.called === false) work.callback(`result ${asked[index]}`)
        }
        for (const step of steps) {
          if (step === 'pause') slow(transport)
          else if (step === 'resume') fast(transport)
          else finish(step)
          expect(expected.join('').startsWith(transport.text())).toBe(true)
        }
        fast(transport)
        for (let index = 0; index < asked.length; index++) finish(index)
        expect(transport.text()).toBe(expected.join(''))
      }),
    )
  })

  it('has so many questions of a client at work and no more, and reads on when there is room', () => {
    const { service, begun } = slowService()
    const transport = connected(new TransformProtocol(service, { maxPending: 2 }))
    transport.receive(netstring('later.poem').repeat(5))
    expect([begun.length, transport.paused]).toEqual([2, true])
    begun[1]?.callback('b')
    expect(begun.length).toBe(2)
    begun[0]?.callback('a')
    expect([begun.length, transport.paused]).toEqual([4, true])
    for (const index of [2, 3, 4]) begun[index]?.callback('x')
    expect([begun.length, transport.paused]).toEqual([5, false])
  })

  it('keeps answers back while its client is slow, and reads no more of it', () => {
    const transport = connected(new TransformProtocol(new TransformService(), { maxPending: 3 }))
    slow(transport)
    transport.receive(netstring('shout.a').repeat(10))
    expect([transport.text(), transport.paused]).toEqual(['', true])
    fast(transport)
    expect([transport.text(), transport.paused]).toEqual([netstring('A').repeat(10), false])
  })

  it('refuses a question that is too long when its length is known, after the answers that came before', () => {
    const { service, begun } = slowService()
    const transport = connected(new TransformProtocol(service))
    transport.receive(`${netstring('later.a')}524289:shout.`)
    expect(transport.disconnecting).toBe(false)
    begun[0]?.callback('late')
    expect(transport.text()).toBe(netstring('late'))
    expect(transport.cause?.message).toMatch(
      /^a string of 524289 bytes or more was offered, the limit is 524288|524289/,
    )
  })

  it('refuses to send an answer that is too long, and says how long', () => {
    const transport = connected(new TransformProtocol(new TransformService(), { maxLength: 40 }))
    transport.receive(netstring(`?number.${'\n'.repeat(30)}`))
    expect(transport.text()).toMatch(/^\d+:-the answer would have \d+ bytes, the limit is 40,$/)
  })

  it('answers a client that has ended its own side, and then hangs up', () => {
    const { service, begun } = slowService()
    const transport = connected(new TransformProtocol(service))
    transport.receive(netstring('later.a'))
    transport.end()
    expect(transport.producer).toBeDefined()
    begun[0]?.callback('answer')
    expect(transport.text()).toBe(netstring('answer'))
    expect(transport.producer).toBeUndefined()
  })

  it('cancels the work for a client that has gone', () => {
    const { service, cancelled } = slowService()
    const transport = connected(new TransformProtocol(service))
    transport.receive(netstring('later.a') + netstring('later.b'))
    transport.end(new ConnectionLost())
    expect(cancelled).toEqual([0, 1])
    expect(reports).toEqual([])
  })
})

describe('a client that ends its side in the middle of a question', () => {
  /** What comes back, and how the conversation ends for the client. */
  function cutShort(service: TransformService, said: string) {
    const { sim, endpoint } = network(new TransformFactory(service))
    const client = new AccumulatingProtocol()
    client.connectionMade = function ask() {
      this.transport.write(said)
      this.transport.loseWriteConnection()
    }
    client.readConnectionLost = function leave() {
      this.transport.loseConnection()
    }
    connectProtocol(endpoint, client)
    sim.advance(1000)
    return { sim, client }
  }

  it('is let go at once', () => {
    const { sim, client } = cutShort(new TransformService(), '10:shout.ha')
    expect(client.closedReason).toBeDefined()
    expect(sim.pending).toBe(0)
  })

  it('still gets the answers to what it had asked before', () => {
    const { service, begun } = slowService()
    const { sim, client } = cutShort(service, `${netstring('later.a')}${netstring('shout.b')}10:shout.ha`)
    expect(client.closedReason).toBeUndefined()
    begun[0]?.callback('answer')
    sim.advance(1000)
    expect(client.text()).toBe(netstring('answer') + netstring('B'))
    expect(client.closedReason).toBeDefined()
    expect(sim.pending).toBe(0)
  })
})

/** A server on a host of its own, and the way there from another. */
function network(factory: Factory, latency = 10) {
  const sim = new Sim({ latency })
  const server = sim.host('server').reactor
  const client = sim.host('client').reactor
  server.listenTCP(11_000, factory)
  sim.advance()
  return { sim, server, endpoint: new TCPClientEndpoint(client, 'server', 11_000) }
}

describe('a transform client', () => {
  it('has a poem transformed, and leaves nothing open', () => {
    const { sim, endpoint } = network(new TransformFactory(new TransformService()))
    const answer = transformPoem(endpoint, 'shout', 'Qui pénètre\n')
    sim.advance(1000)
    expect(successResultOf(answer)).toBe('QUI PÉNÈTRE\n')
    expect(sim.pending).toBe(0)
  })

  it('is told why not', () => {
    const { sim, endpoint } = network(new TransformFactory(new TransformService()))
    const answer = transformPoem(endpoint, 'whisper', 'poem')
    sim.advance(1000)
    expect(String(failureResultOf(answer, TransformFailed).value)).toContain('there is no transform "whisper"')
    expect(sim.pending).toBe(0)
  })

  it('asks many questions at once over one connection, and each gets its own answer', () => {
    const { sim, endpoint } = network(new TransformFactory(new TransformService()))
    const connecting = connectProtocol(endpoint, new TransformClientProtocol())
    sim.advance(1000)
    const client = successResultOf(connecting)
    const start = sim.now
    const poems = Array.from({ length: 100 }, (_, index) => `${'line of the poem\n'.repeat(100 * (index % 7))}${index}`)
    const answers = poems.map((poem, index) => client.transform(index === 50 ? 'nothing' : 'shout', poem))
    client.close()
    sim.advance(1000)
    for (const [index, answer] of answers.entries()) {
      if (index === 50) failureResultOf(answer, TransformFailed)
      else expect(successResultOf(answer)).toBe(poems[index]?.toUpperCase())
    }
    expect(sim.now - start).toBeLessThanOrEqual(1000)
    expect(sim.pending).toBe(0)
  })

  it('may lose its interest in one of them, and the others still get theirs', () => {
    const { service, begun } = slowService()
    const { sim, endpoint } = network(new TransformFactory(service))
    const connecting = connectProtocol(endpoint, new TransformClientProtocol())
    sim.advance(1000)
    const client = successResultOf(connecting)
    const [first, second] = [client.transform('later', 'a'), client.transform('shout', 'b')]
    first.cancel()
    failureResultOf(first, CancelledError)
    sim.advance(1000)
    begun[0]?.callback('nobody wants it')
    sim.advance(1000)
    expect(successResultOf(second)).toBe('B')
    client.close()
    sim.advance(1000)
    expect(sim.pending).toBe(0)
  })

  it('that is cancelled hangs up, and the server stops its work', () => {
    const { service, cancelled } = slowService()
    const { sim, endpoint } = network(new TransformFactory(service))
    const answer = transformPoem(endpoint, 'later', 'poem')
    sim.advance(1000)
    answer.cancel()
    failureResultOf(answer, CancelledError)
    sim.advance(1000)
    expect(cancelled).toEqual([0])
    expect(sim.pending).toBe(0)
  })

  it('may set a time', () => {
    const { service, cancelled } = slowService()
    const { sim, server, endpoint } = network(new TransformFactory(service))
    const answer = transformPoem(endpoint, 'later', 'poem').addTimeout(3000, server)
    sim.advance(3100)
    expect(failureResultOf(answer).value).toMatchObject({ name: 'TimeoutError' })
    expect(cancelled).toEqual([0])
  })

  it('hears that the server has gone, once for each question', () => {
    const { service } = slowService()
    const { sim, endpoint } = network(
      Factory.forProtocol(() => {
        const protocol = new TransformProtocol(service)
        protocol.stringReceived = function leave() {
          this.transport.abortConnection()
        }
        return protocol
      }),
    )
    const connecting = connectProtocol(endpoint, new TransformClientProtocol())
    sim.advance(1000)
    const client = successResultOf(connecting)
    const answers = [client.transform('later', 'a'), client.transform('later', 'b')]
    sim.advance(1000)
    answers.push(client.transform('shout', 'too late'))
    for (const answer of answers) {
      const { value } = failureResultOf(answer, TransformFailed)
      expect((value as Error).message).toMatch(/^10\.0\.0\.1:11000: no answer: connection lost/)
    }
  })

  it.each([
    ['an answer', '10:+half'],
    ['a length', '10'],
  ])('hears at once that the server has ended its side in the middle of %s', (_, said) => {
    const { sim, endpoint } = network(
      Factory.forProtocol(() => {
        const protocol = new AccumulatingProtocol()
        protocol.dataReceived = function leave() {
          this.transport.write(said)
          this.transport.loseWriteConnection()
        }
        return protocol
      }),
    )
    const connecting = connectProtocol(endpoint, new TransformClientProtocol())
    sim.advance(1000)
    const answer = successResultOf(connecting).transform('shout', 'poem')
    sim.advance(1000)
    expect((failureResultOf(answer, TransformFailed).value as Error).message).toMatch(
      'no answer: connection lost: the peer closed in the middle of a frame',
    )
  })

  it.each(['a.b', '', '?shout', 'x'.repeat(65), 'é'])('sends nothing for the name %j, which cannot be one', (name) => {
    const client = new TransformClientProtocol()
    const transport = connected(client)
    failureResultOf(client.transform(name, 'poem'), TransformFailed)
    expect(transport.text()).toBe('')
  })

  it('sends no question that is too long', () => {
    const client = new TransformClientProtocol()
    connected(client)
    const { value } = failureResultOf(client.transform('shout', 'x'.repeat(600_000)), TransformFailed)
    expect((value as Error).message).toBe('a question of 600007 bytes: the limit is 524288')
  })

  it.each([
    ['an answer that nobody asked for', '1:+,', []],
    ['an answer that begins with neither + nor -', '5:hello,', ['shout']],
    ['an answer that is not UTF-8', new Uint8Array([0x32, 0x3a, 0x2b, 0xff, 0x2c]), ['shout']],
    ['what is no netstring', 'hello', ['shout']],
    ['an answer that is too long', '600000:+', ['shout']],
  ])('ends the connection for %s', (_, bytes, asked) => {
    const client = new TransformClientProtocol()
    const transport = connected(client)
    const answers = asked.map((name) => client.transform(name, 'poem'))
    transport.receive(bytes)
    expect([transport.aborting, transport.cause?.name]).toEqual([true, expect.stringMatching(/Error|TooLong|Bad/)])
    transport.end()
    for (const answer of answers) failureResultOf(answer, TransformFailed)
  })

  it('speaks krondo’s language with a server that knows no other', () => {
    const { sim, endpoint } = network(
      Factory.forProtocol(
        () =>
          new (class extends NetstringReceiver {
            override stringReceived(bytes: Uint8Array): void {
              const [name, ...rest] = toText(bytes).split('.')
              if (name === 'cummingsify') this.sendString(rest.join('.').toLowerCase())
              this.transport.loseConnection()
            }
          })(),
      ),
    )
    const known = transformPoem(endpoint, 'cummingsify', 'A. B.\n', { plain: true })
    const unknown = transformPoem(endpoint, 'shout', 'A', { plain: true })
    sim.advance(1000)
    expect(successResultOf(known)).toBe('a. b.\n')
    const { value } = failureResultOf(unknown, TransformFailed)
    expect((value as Error).message).toBe('10.0.0.1:11000: no answer: connection closed cleanly')
    expect(sim.pending).toBe(0)
  })

  it('is answered by our server as krondo’s client is, which hangs up after the first answer', () => {
    const { sim, endpoint } = network(new TransformFactory(new TransformService()))
    class Krondo extends Protocol {
      text = ''
      override connectionMade(): void {
        this.transport.write(netstring('cummingsify.He WHO\n'))
      }
      override dataReceived(chunk: Uint8Array): void {
        this.text += toText(chunk)
        this.transport.loseConnection()
      }
    }
    const krondo = new Krondo()
    connectProtocol(endpoint, krondo)
    sim.advance(1000)
    expect(krondo.text).toBe(netstring('he who\n'))
    expect(sim.pending).toBe(0)
  })
})
