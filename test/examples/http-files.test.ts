/** The HTTP server with clients of Node's own, and with bytes that no client would send. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { get, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { Factory, type IPv4Address, toBytes } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { connected, everyChunking, pattern } from 'couplet/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileServer } from '../../examples/http-files.ts'
import { reportsOfEachTest } from '../reports.ts'
import { survivesStrangers } from './strangers.ts'

const reported = reportsOfEachTest()
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'couplet-http-')))
const root = join(folder, 'public')
const big = pattern(3_000_000)
const reactor = new NodeReactor()
let port = 0

beforeAll(async () => {
  mkdirSync(join(root, 'sub dir'), { recursive: true })
  writeFileSync(join(folder, 'secret.txt'), 'secret')
  writeFileSync(join(root, 'poem.txt'), 'a poem\n')
  writeFileSync(join(root, 'empty'), '')
  writeFileSync(join(root, '.hidden'), 'hidden')
  writeFileSync(join(root, 'sub dir', 'ü.html'), '<p>ü')
  writeFileSync(join(root, 'big'), big)
  symlinkSync(join(folder, 'secret.txt'), join(root, 'link'))
  symlinkSync(join(root, 'poem.txt'), join(root, 'inside'))
  const files = Factory.forProtocol(() => new FileServer(root))
  const listening = await reactor.listenTCP(0, files, { interface: '127.0.0.1' })
  port = (listening.host as IPv4Address).port
})

afterAll(async () => {
  await reactor.stopPorts({ drain: 1000 })
  rmSync(folder, { recursive: true })
})

/** Asks with a client that somebody else wrote. */
async function ask(path: string, options: { method?: string; headers?: Record<string, string> } = {}, body = '') {
  return await new Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]>; body: Buffer }>(
    (resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
        const { statusCode: status, headers } = response
        buffer(response).then((body) => resolve({ status, headers, body }), reject)
      })
      asked.on('error', reject).end(body)
    },
  )
}

/** Sends bytes as they are, says that they were all, and gives what came back. */
async function raw(bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(bytes)
  return await text(socket)
}

describe('the HTTP server', () => {
  it('gives a file away, with its length and type', async () => {
    const { status, headers, body } = await ask('/poem.txt?version=1')
    expect([status, headers['content-length'], headers['content-type']]).toEqual([200, '7', 'text/plain'])
    expect(String(body)).toBe('a poem\n')
    expect(String((await ask('/sub%20dir/%C3%BC.html')).body)).toBe('<p>ü')
    expect(String((await ask('/inside')).body)).toBe('a poem\n')
    expect((await ask('/empty')).body.length).toBe(0)
  })

  it('gives the head alone to whoever wants that', async () => {
    const { status, headers, body } = await ask('/poem.txt', { method: 'HEAD' })
    expect([status, headers['content-length'], body.length]).toEqual([200, '7', 0])
    expect((await ask('/nothing', { method: 'HEAD' })).body.length).toBe(0)
  })

  it.each([
    '/nothing',
    '/',
    '/sub%20dir',
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/sub%20dir/../../secret.txt',
    '/..%2fsecret.txt',
    '/link',
    '/.hidden',
    '/poem.txt%00.html',
    '/%',
    '//etc/passwd',
    '/poem.txt/',
  ])('has nothing at %s', async (path) => {
    expect(await raw(`GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.0 404 Not Found\r\n/)
  })

  it('says which methods it has, and does not cut off who sends it a body', async () => {
    const { status, headers } = await ask('/poem.txt', { method: 'POST' }, 'x'.repeat(300_000))
    expect([status, headers['allow']]).toEqual([405, 'GET, HEAD'])
    expect(String((await ask('/poem.txt', { method: 'GET' }, 'x'.repeat(300_000))).body)).toBe('a poem\n')
  })

  it('answers who half-closes, and one that breaks off in its request', async () => {
    expect(await raw('GET /poem.txt HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.0 200 OK\r\n[\s\S]*\r\n\r\na poem\n$/)
    expect(await raw('GET /poem.txt HTTP/1.0\r\nHost: here\r\n')).toMatch(/^HTTP\/1\.0 400 /)
    expect(await raw('GET /poem.txt HT')).toBe('')
  })

  it('sends a big file as its client reads it, and forgets a client that goes', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /big HTTP/1.0\r\n\r\n')
    const whole = await buffer(socket)
    expect(whole.subarray(whole.indexOf('\r\n\r\n') + 4).equals(big)).toBe(true)
    await new Promise<void>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/big', agent: false }, (response) => {
        response.once('data', () => {
          response.destroy()
          resolve()
        })
      }).on('error', reject)
    })
    expect((await ask('/poem.txt')).status).toBe(200)
    expect(reported).toEqual([])
  })

  it('does not end as if all were well when a file gets shorter meanwhile', async () => {
    writeFileSync(join(root, 'log'), pattern(32_000_000))
    const failed = new Promise<Error>((resolve) => {
      get({ host: '127.0.0.1', port, path: '/log', agent: false }, (response) => {
        response.once('readable', () => {
          truncateSync(join(root, 'log'), 100)
          response.resume()
        })
        response.on('error', resolve)
        response.on('end', () => resolve(new Error('it ended well')))
      }).on('error', resolve)
    })
    expect(await failed).toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('a request', () => {
  it.each([
    [400, 'HELLO\r\n'],
    [400, 'GET poem.txt HTTP/1.0\r\n'],
    [400, 'GET /poem.txt\r\n'],
    [400, 'GET /a b HTTP/1.0\r\n'],
    [400, 'GET / HTTP/2.0\r\n'],
    [400, 'GET / HTTP/1.0\r\nno header\r\n'],
    [400, 'GET / HTTP/1.0\r\nhost : here\r\n'],
    [405, 'DELETE / HTTP/1.1\r\n'],
    [414, `GET /${'x'.repeat(9000)}`],
    [431, `GET / HTTP/1.0\r\nx: ${'x'.repeat(9000)}`],
    [431, `GET / HTTP/1.0\r\n${'x: y\r\n'.repeat(101)}`],
    [431, `GET / HTTP/1.0\r\n${`x: ${'y'.repeat(8000)}\r\n`.repeat(5)}`],
  ])('is answered with %i, however it is cut: %j', (status, bytes) => {
    const check = (chunks: readonly Uint8Array[]): void => {
      const transport = connected(new FileServer(root))
      for (const chunk of chunks) transport.receive(chunk)
      expect(transport.text()).toMatch(new RegExp(`^HTTP/1\\.0 ${status} [^]*\n$`))
      expect(transport.disconnecting).toBe(true)
      expect(transport.text().match(/HTTP/g)?.length).toBe(1)
    }
    if (bytes.length < 200) everyChunking(toBytes(bytes), check)
    else for (const size of [1, 7, 1000, bytes.length]) check(cut(toBytes(bytes), size))
  })

  it('may be anything', () => {
    const words = [
      'GET ',
      'HEAD ',
      '/',
      ' HTTP/1.0',
      ' HTTP/1.1\r\n',
      '\r\n',
      '\n',
      'Host: here\r\n',
      'GET /% HTTP/1.0\r\n',
    ]
    survivesStrangers(() => new FileServer('/nowhere'), words)
  })
})

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
}
