/** The Redis example and its wire format, without a server: replies in any chunking, and garbage. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConnectionAborted, type Deferred, toBytes, toText } from 'couplet'
import { connected, everyChunking, failureResultOf, type StringTransport, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Redis, shown } from '../../examples/redis.ts'
import { RedisError, type Reply } from '../../examples/resp.ts'
import { survivesStrangers } from './strangers.ts'

const hello = '%1\r\n$5\r\nproto\r\n:3\r\n'

function client(told?: (push: Reply[]) => void): { redis: Redis; transport: StringTransport } {
  const redis = new Redis(told)
  const transport = connected(redis)
  transport.receive(hello)
  transport.clear()
  return { redis, transport }
}

function answered(bytes: string): Reply {
  const { redis, transport } = client()
  const answer = redis.command('ASK')
  transport.receive(bytes)
  return successResultOf(answer)
}

describe('a client of Redis', () => {
  it('says hello first, and asks in the one form that there is', () => {
    const redis = new Redis()
    const transport = connected(redis)
    redis.command('SET', 'k\r\n', new Uint8Array([0, 255]), 12)
    const sent = [...transport.value()].map((byte) => String.fromCharCode(byte)).join('')
    expect(sent).toBe('*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*4\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$2\r\n\0\xff\r\n$2\r\n12\r\n')
  })

  it.each<[string, Reply]>([
    ['+OK\r\n', 'OK'],
    [':-7\r\n', -7],
    [':-1\r\n', -1],
    ['(3492890328409238509324850943850943825024385\r\n', 3492890328409238509324850943850943825024385n],
    [',1.5\r\n', 1.5],
    [',-inf\r\n', -Infinity],
    ['#t\r\n', true],
    ['_\r\n', null],
    ['$-1\r\n', null],
    ['*0\r\n', []],
    ['~2\r\n:1\r\n*-1\r\n', [1, null]],
    ['%1\r\n+a\r\n*2\r\n:1\r\n%0\r\n', new Map<Reply, Reply>([['a', [1, new Map()]]])],
    ['|1\r\n+ttl\r\n:5\r\n+OK\r\n', 'OK'],
    ['*2\r\n+a\r\n|1\r\n+x\r\n+y\r\n+b\r\n', ['a', 'b']],
    ['=7\r\ntxt:abc\r\n', toBytes('abc')],
    ['$4\r\n\r\n\r\n\r\n', toBytes('\r\n\r\n')],
    ['*1\r\n-ERR in a transaction\r\n', [new RedisError('ERR in a transaction')]],
  ])('reads %j', (bytes, reply) => {
    expect(answered(bytes)).toEqual(reply)
  })

  it('gives each answer to whoever has waited longest, however they are cut', () => {
    const bytes = '$2\r\nhi\r\n-WRONGTYPE no\r\n*2\r\n:1\r\n$0\r\n\r\n'
    everyChunking(toBytes(bytes), (chunks) => {
      const { redis, transport } = client()
      const [one, two, three] = ['GET', 'LPUSH', 'LRANGE'].map((name) => redis.command(name, 'k')) as [
        Deferred<Reply>,
        Deferred<Reply>,
        Deferred<Reply>,
      ]
      for (const chunk of chunks) transport.receive(chunk)
      expect(toText(successResultOf(one) as Uint8Array)).toBe('hi')
      expect((failureResultOf(two, RedisError).value as RedisError).code).toBe('WRONGTYPE')
      expect(shown(successResultOf(three))).toBe('[1, ""]')
    })
  })

  it('tells a push from an answer, and what confirms a subscription from both', () => {
    const pushes: string[] = []
    const { redis, transport } = client((push) => pushes.push(shown(push)))
    const subscribed = redis.command('SUBSCRIBE', 'news')
    const pong = redis.command('PING')
    transport.receive('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n')
    transport.receive(
      '>3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\n\x1b[\r\n+PONG\r\n',
    )
    expect(shown(successResultOf(subscribed))).toBe('["subscribe", "news", 1]')
    expect(successResultOf(pong)).toBe('PONG')
    expect(pushes).toEqual(['["invalidate", ["k"]]', String.raw`["message", "news", "\x1b["]`])
    failureResultOf(redis.command('SUBSCRIBE', 'one', 'two'), RangeError)
  })

  it('keeps the order when a command is cancelled, and fails all that wait when the connection ends', () => {
    const { redis, transport } = client()
    const [one, two, three] = [redis.command('A'), redis.command('B'), redis.command('C')]
    one.cancel()
    failureResultOf(one)
    transport.receive('+a\r\n+b\r\n$5\r\nabc')
    expect(successResultOf(two)).toBe('b')
    transport.end()
    const reason = failureResultOf(three).value as Error
    expect([reason.name, (reason.cause as Error).message]).toEqual([
      'ConnectionLost',
      'the peer closed in the middle of a frame: 3 bytes had arrived',
    ])
    expect(failureResultOf(redis.command('D')).value).toBe(reason)
  })

  it('ends in the middle of an array as in the middle of a string: not cleanly', () => {
    const { redis, transport } = client()
    const answer = redis.command('A')
    transport.receive('*2\r\n:1\r\n')
    transport.end()
    expect((failureResultOf(answer).value as Error).message).toContain('in the middle of a frame')
  })

  it('sends no more than there is room for, and the rest when there is', () => {
    const { redis, transport } = client()
    // A full connection says so while it is written to.
    const write = transport.write.bind(transport)
    transport.write = (data) => {
      write(data)
      ;(transport.producer as { pauseProducing?: () => void } | undefined)?.pauseProducing?.()
    }
    redis.command('A', 'x'.repeat(65_536))
    for (const name of ['B', 'C']) redis.command(name)
    expect(transport.text().match(/[A-C]/g)).toEqual(['A'])
    transport.write = write
    ;(transport.producer as { resumeProducing(): void }).resumeProducing()
    expect(transport.text().match(/[A-C]/g)).toEqual(['A', 'B', 'C'])
    expect(transport.producer).toBeUndefined()
  })

  it.each([
    ['HTTP/1.1 400', 'no reply begins with byte 72'],
    ['+unasked\r\n', 'a reply to nothing'],
    [':1x\r\n', 'no number: "1x"'],
    ['$3\r\nabcd\r\n', 'a string has no end'],
    ['*1\r\n'.repeat(40), 'too deep'],
    ['$99999999\r\n', 'a reply of 99999999 bytes or more was offered'],
    ['*99999999\r\n', 'a reply of 99999999 bytes or more was offered'],
    ['$-2\r\n', 'no length: "-2"'],
    ['*+2\r\n', 'no length: "+2"'],
    [`+${'x'.repeat(70_000)}`, 'a line of 65537 bytes or more was offered'],
  ])('aborts when the server says %j', (bytes, why) => {
    const { transport } = client()
    transport.receive(bytes)
    transport.end()
    expect(transport.cause?.message).toContain(why)
    expect(transport.aborting).toBe(true)
  })

  it('aborts when the server does not know RESP3, and the reason says so', () => {
    const redis = new Redis()
    const transport = connected(redis)
    const answer = redis.command('GET', 'k')
    transport.receive("-ERR unknown command 'HELLO'\r\n")
    transport.end()
    const reason = failureResultOf(answer, ConnectionAborted).value as Error
    expect(reason.cause).toEqual(new RedisError("ERR unknown command 'HELLO'"))
  })

  it.each<[Reply, string]>([
    ['\x1b[31mred\r', '\\x1b[31mred\\x0d'],
    [[new RedisError('ERR \x9b')], '[ERR \\x9b]'],
    [new Map<Reply, Reply>([['\x07', toBytes('\x07')]]), '{\\x07: "\\x07"}'],
    ['poésie', 'poésie'],
  ])('shows %j without a byte that could command a terminal', (reply, harmless) => {
    expect(shown(reply)).toBe(harmless)
  })

  it('has fewer than 150 lines of code, its wire format and its command line included', () => {
    const code = ['redis.ts', 'resp.ts'].flatMap((name) =>
      readFileSync(join(import.meta.dirname, '../../examples', name), 'utf8')
        .split('\n')
        .filter((line) => line.trim() !== '' && !/^\s*(\/\/|\/?\*)/.test(line)),
    )
    expect(code.length).toBeLessThan(150)
  })

  it('survives strangers', () => {
    const words = [
      '+OK\r\n',
      '*2\r\n',
      ':1\r\n',
      '$3\r\nabc\r\n',
      '>1\r\n',
      '%1\r\n',
      '|1\r\n',
      '_\r\n',
      '*0\r\n',
      '!2\r\nno\r\n',
    ]
    survivesStrangers(() => {
      const redis = new Redis()
      redis.connectionMade = () => {
        for (const name of ['A', 'B', 'C', 'SUBSCRIBE']) redis.command(name, 'k').addErrback(() => undefined)
      }
      return redis
    }, words)
  })
})
