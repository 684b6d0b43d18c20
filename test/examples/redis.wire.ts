/** The client of Redis, and a real redis-server on a socket of the file system. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientFromString, connectProtocol, Deferred, gatherResults, toText } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from '../../examples/redis.ts'
import { RedisError, type Reply } from '../../examples/resp.ts'
import { Started } from '../poetry/programs.ts'

const missing = spawnSync('redis-server', ['--version']).error !== undefined
const reactor = new NodeReactor()
const started = new Started()
const folder = mkdtempSync(join(tmpdir(), 'couplet-redis-'))
const endpoint = `unix:${folder}/socket`

const client = (told?: (push: Reply[]) => void): Promise<Redis> =>
  connectProtocol(clientFromString(reactor, endpoint), new Redis(told)).toPromise()

describe.skipIf(missing)('redis-server', () => {
  beforeAll(async () => {
    const options = ['--port', '0', '--unixsocket', `${folder}/socket`, '--save', '', '--appendonly', 'no']
    await started.program('redis-server', ...options, '--dir', folder).prints(/The server is now ready|Ready to accept/)
  })

  afterAll(async () => {
    await started.end()
    rmSync(folder, { recursive: true })
  })

  it('keeps bytes, numbers, lists and maps', async () => {
    const redis = await client()
    const bytes = new Uint8Array([0, 13, 10, 255])
    await gatherResults([
      redis.command('SET', 'bytes', bytes),
      redis.command('SET', 'number', 41),
      redis.command('RPUSH', 'list', 'one', '', 'three'),
      redis.command('HSET', 'map', 'field', 'value'),
    ])
    expect(await redis.command('GET', 'bytes')).toEqual(bytes)
    expect(await redis.command('INCR', 'number')).toBe(42)
    expect(await redis.command('GET', 'nothing')).toBe(null)
    expect(((await redis.command('LRANGE', 'list', 0, -1)) as Uint8Array[]).map(toText)).toEqual(['one', '', 'three'])
    const map = (await redis.command('HGETALL', 'map')) as Map<Uint8Array, Uint8Array>
    expect([...map].flat().map(toText)).toEqual(['field', 'value'])
    expect(toText((await redis.command('INFO', 'server')) as Uint8Array)).toMatch(/^# Server\r\n/)
    await redis.quit()
  })

  it('says what is wrong, and the next command works', async () => {
    const redis = await client()
    await redis.command('RPUSH', 'a list', 1)
    const wrong = await redis.command('INCR', 'a list').addErrback(({ value }) => value)
    expect(wrong).toBeInstanceOf(RedisError)
    expect((wrong as RedisError).code).toBe('WRONGTYPE')
    const commands = [redis.command('MULTI'), redis.command('INCR', 'a list'), redis.command('EXEC')]
    expect((await gatherResults(commands))[2]).toEqual([expect.objectContaining({ code: 'WRONGTYPE' })])
    await redis.quit()
  })

  it('answers 20,000 commands and 20 MB that were asked for at once', async () => {
    const redis = await client()
    const counts = await gatherResults(Array.from({ length: 20_000 }, () => redis.command('INCR', 'count')))
    expect(counts).toEqual(Array.from({ length: 20_000 }, (_, at) => at + 1))
    const value = 'x'.repeat(20_000)
    await gatherResults(Array.from({ length: 1000 }, (_, at) => redis.command('SET', `big ${at}`, value)))
    const lengths = await gatherResults(Array.from({ length: 1000 }, (_, at) => redis.command('GET', `big ${at}`)))
    expect(lengths.every((each) => (each as Uint8Array).length === 20_000)).toBe(true)
    await redis.quit()
  })

  it('pushes what is published, between the answers, on the same connection', async () => {
    const heard = new Deferred<string>()
    const listener = await client((push) => heard.callback(push.map((each) => toText(each as Uint8Array)).join(' ')))
    const [confirmed, pong] = await gatherResults([listener.command('SUBSCRIBE', 'news'), listener.command('PING')])
    expect([(confirmed as Reply[])[2], pong]).toEqual([1, 'PONG'])
    const speaker = await client()
    expect(await speaker.command('PUBLISH', 'news', 'rain')).toBe(1)
    expect(await heard).toBe('message news rain')
    expect(await listener.command('UNSUBSCRIBE', 'news')).toBeDefined()
    expect(await speaker.command('PUBLISH', 'news', 'sun')).toBe(0)
    await gatherResults([listener.quit(), speaker.quit()])
  })

  it('ends a connection, and every command that waits says so', async () => {
    const [redis, other] = [await client(), await client()]
    const id = await redis.command('CLIENT', 'ID')
    const waiting = redis.command('BLPOP', 'never', 0).addErrback(({ value }) => (value as Error).name)
    await other.command('CLIENT', 'KILL', 'ID', id as number)
    expect(await waiting).toMatch(/^Connection(Done|Lost)$/)
    await other.quit()
  })

  it('is asked from the command line', async () => {
    const set = await started.example('redis', endpoint, 'SET', 'poem', 'ecstasy\x1b').ended
    const got = await started.example('redis', endpoint, 'GET', 'poem').ended
    const wrong = await started.example('redis', endpoint, 'LPUSH', 'poem', '1').ended
    expect([set.stdout, got.stdout]).toEqual(['OK\n', '"ecstasy\\x1b"\n'])
    expect([set.code, got.code, wrong.code]).toEqual([0, 0, 1])
    expect(wrong.stderr).toMatch(/^redis: WRONGTYPE .*\n$/)
  })
})
