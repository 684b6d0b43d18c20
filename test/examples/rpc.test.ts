/** The example of calls with types: questions, answers, and peers that break the rules. */
import { Deferred, Factory, IPv4Address, toBytes, toText } from 'couplet'
import { Sim } from 'couplet/sim'
import { connected, everyChunking, failureResultOf, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { answers, type Answers, CallFailed, Peer } from '../../examples/rpc.ts'
import { survivesStrangers } from './strangers.ts'

/** What a peer would send: `text` with its length in front. */
function framed(text: string): Uint8Array {
  const bytes = toBytes(text)
  return new Uint8Array([0, 0, bytes.length >> 8, bytes.length & 0xff, ...bytes])
}

function pair(one: Answers, other: Answers = {}): { sim: Sim; caller: Peer; server: Peer } {
  const sim = new Sim({ latency: 5, delivery: 'random' })
  const [caller, server] = [new Peer(other), new Peer(one)]
  sim.host('server').reactor.listenTCP(
    8010,
    Factory.forProtocol(() => server),
  )
  sim
    .host('client')
    .reactor.dial(new IPv4Address('TCP', '10.0.0.1', 8010))
    .addCallback((connection) => connection.deliverTo(caller))
  sim.advance(50)
  return { sim, caller, server }
}

describe('calls with types', () => {
  it('are answered, in both directions', () => {
    const { sim, caller, server } = pair(answers, { greet: (name) => `hi ${name}` })
    const sum = caller.call('add', [1, 2, 3])
    const hello = caller.call('greet', 'wörld')
    const hi = server.call('greet', 'client')
    sim.advance(50)
    expect([sum, hello, hi].map((each) => successResultOf<unknown>(each))).toEqual([6, 'hello wörld', 'hi client'])
  })

  it('are answered however the question is cut', () => {
    everyChunking(framed('{"id":7,"call":"add","argument":[2,3]}'), (chunks) => {
      const transport = connected(new Peer(answers))
      for (const chunk of chunks) transport.receive(chunk)
      expect(toText(transport.value()).slice(4)).toBe('{"id":7,"result":5}')
    })
  })

  it('fail with what the other end says, and never with what is none of our business', () => {
    const secret = (): never => {
      throw new Error('/home/ann/secret')
    }
    const { sim, caller } = pair({ greet: secret })
    const broken = caller.call('greet', 'a')
    const unknown = caller.call('add', [])
    sim.advance(50)
    const messages = [broken, unknown].map((call) => failureResultOf(call, CallFailed).value)
    expect(messages.map((error) => (error as Error).message)).toEqual([
      'greet failed here',
      'there is no call "add" here',
    ])
  })

  it('refuse what was not declared: an argument, a result, a name that every object has', () => {
    const transport = connected(new Peer(answers))
    transport.receive(framed('{"id":1,"call":"add","argument":"x"}'))
    transport.receive(framed('{"id":2,"call":"constructor"}'))
    const said = transport.text().replaceAll(/[^ -~]+./g, '\n')
    expect(said).toContain('"failed":"this is no argument for add"')
    expect(said).toContain('"failed":"there is no call \\"constructor\\" here"')
    const { sim, caller } = pair({ add: () => 'seven' as unknown as number })
    const wrong = caller.call('add', [7])
    sim.advance(50)
    expect((failureResultOf(wrong, CallFailed).value as Error).message).toBe('the answer is not what was declared')
  })

  it('wait for one another when there are many, and the other end does not work on more than sixteen', () => {
    const open: Deferred<number>[] = []
    const { sim, caller } = pair({
      add: () => {
        const result = new Deferred<number>()
        open.push(result)
        return result
      },
    })
    const sums = Array.from({ length: 100 }, (_, at) => caller.call('add', [at]))
    sim.advance(50)
    expect(open.length).toBe(16)
    for (let at = 0; at < 100; at++) {
      open[at]!.callback(at)
      sim.advance(50)
    }
    expect(sums.map((each) => successResultOf(each))).toEqual(Array.from({ length: 100 }, (_, at) => at))
  })

  it('fail when the connection is lost, and when there is none any more; a cancelled one is forgotten', () => {
    const { sim, caller } = pair({ add: () => new Deferred<number>(), greet: (name) => name })
    const given = caller.call('greet', 'up')
    given.cancel()
    failureResultOf(given)
    sim.advance(50)
    const open = caller.call('add', [1])
    sim.advance(50)
    expect(caller.transport.disconnecting).toBe(false)
    caller.transport.abortConnection(new Error('enough'))
    sim.advance(50)
    const late = caller.call('add', [1])
    for (const call of [open, late]) {
      expect((failureResultOf(call).value as Error).message).toContain('enough')
    }
  })

  it.each([
    ['{', 'a message is JSON'],
    ['7', 'a message has a number'],
    ['{"call":"add"}', 'a message has a number'],
    ['{"id":1,"result":1}', 'an answer to nothing'],
  ])('end with a peer that says %s', (text, why) => {
    const transport = connected(new Peer(answers))
    transport.receive(framed(text))
    expect(transport.cause?.message).toBe(`192.168.1.1:54321: ${why}`)
  })

  it('survive strangers', () => {
    const words = [
      '{"id":1,"call":"add","argument":[1]}',
      '{"id":1,"call":"greet","argument":{}}',
      '{"id":0}',
      '[]',
      'null',
    ]
    survivesStrangers(() => new Peer(answers), [...words.map(framed), new Uint8Array([0, 0])])
  })
})
