/** The examples as programs: each is started as a user starts it, is spoken to, and ends with 0 at Ctrl-C. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { type Program, Started } from '../poetry/programs.ts'

const started = new Started()
afterEach(() => started.end())

const here = 'tcp:0:interface=127.0.0.1'

/** The ports that it says it listens on. */
async function portsOf(program: Program): Promise<number[]> {
  const [[line = ''] = []] = await program.prints(/^listening on .*$/)
  return [...line.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
}

/** Sends this, and that it was all; gives what comes until the other end has said all, too. */
async function say(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(bytes)
  return await text(socket)
}

/** Sends a datagram, and gives the answer. */
async function sendTo(port: number, bytes: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    socket.send(bytes, port, '127.0.0.1')
    const [answer] = (await once(socket, 'message')) as [Buffer]
    return String(answer)
  } finally {
    socket.close()
  }
}

/** What it had printed besides, when it has ended at Ctrl-C. */
async function endsWell(program: Program): Promise<string> {
  if (!program.child.killed) program.child.kill('SIGINT')
  const { code, stdout, stderr } = await program.ended
  expect([code, stderr]).toEqual([0, ''])
  return stdout.replace(/^listening on .*\n/, '')
}

describe('the example', () => {
  it('echo answers streams and datagrams', async () => {
    const program = started.example('echo', '0')
    const [stream = 0, datagrams = 0] = await portsOf(program)
    expect([await say(stream, 'hello'), await sendTo(datagrams, 'hello')]).toEqual(['hello', 'hello'])
    await endsWell(program)
  })

  it('discard says how much it has discarded', async () => {
    const program = started.example('discard', '0')
    const [stream = 0] = await portsOf(program)
    expect(await say(stream, 'hello')).toBe('')
    await program.prints(/bytes/)
    expect(await endsWell(program)).toMatch(/^127\.0\.0\.1:\d+: 5 bytes \(connection closed cleanly\)\n$/)
  })

  it('qotd has a quote for streams and datagrams', async () => {
    const program = started.example('qotd', '0')
    const [stream = 0, datagrams = 0] = await portsOf(program)
    expect(await say(stream, '')).toMatch(/^[ -~]{20,}\r\n$/)
    expect(await sendTo(datagrams, '')).toMatch(/^[ -~]{20,}\r\n$/)
    await endsWell(program)
  })

  it('heartbeat hears who beats', async () => {
    const monitor = started.example('heartbeat', '', '0')
    const [port = 0] = await portsOf(monitor)
    const heart = started.example('heartbeat', 'ann', String(port))
    await monitor.prints(/^ann is here \(127\.0\.0\.1\)$/)
    expect(await endsWell(heart)).toBe('')
    await endsWell(monitor)
  })

  it('chat asks for a name, and says goodbye at the end', async () => {
    const program = started.example('chat', here)
    const [port = 0] = await portsOf(program)
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    socket.write('ann\n')
    let heard = ''
    for await (const chunk of socket) {
      heard += String(chunk)
      if (heard.includes('hello ann') && !program.child.killed) program.child.kill('SIGINT')
    }
    expect(heard).toBe('* what is your name?\n* hello ann; here are ann\n* the room closes\n')
    await endsWell(program)
  })

  it('irc welcomes', async () => {
    const program = started.example('irc', here)
    const [port = 0] = await portsOf(program)
    expect(await say(port, 'NICK ann\nUSER ann\n')).toBe(':irc.example 001 ann :welcome, ann\r\n')
    await endsWell(program)
  })

  it('rpc adds', async () => {
    const program = started.example('rpc', here)
    const [port = 0] = await portsOf(program)
    const question = '\0\0\0\x27{"id":1,"call":"add","argument":[20,2]}'
    expect(await say(port, question)).toBe('\0\0\0\x14{"id":1,"result":22}')
    await endsWell(program)
  })

  it('http-files says what it has not', async () => {
    const program = started.example('http-files', 'examples', here)
    const [port = 0] = await portsOf(program)
    expect(await say(port, 'GET /nothing HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.0 404 Not Found\r\n/)
    expect(await say(port, 'GET /shout.ts HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.0 200 OK\r\n[^]*serverFromString/)
    await endsWell(program)
  })

  it('socks-proxy leads to echo', async () => {
    const [echo, proxy] = [started.example('echo', '0'), started.example('socks-proxy', here)]
    const [[there = 0], [port = 0]] = await Promise.all([portsOf(echo), portsOf(proxy)])
    const request = [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, there >> 8, there & 0xff]
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.write(new Uint8Array(request))
    socket.end('hello')
    expect((await text(socket)).slice(-5)).toBe('hello')
    await Promise.all([endsWell(echo), endsWell(proxy)])
  })

  it('redis says in a line that there is no server', async () => {
    const program = started.example('redis', 'unix:/nowhere/redis', 'PING')
    const { code, stderr } = await program.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^redis: unix:\/nowhere\/redis: .+\n$/)
  })

  it('rx-chat says who is there, and what is said', async () => {
    const program = started.example('rx-chat', here)
    const [port = 0] = await portsOf(program)
    await say(port, 'hello\n')
    await program.prints(/ is gone$/)
    expect((await endsWell(program)).replaceAll(/127\.0\.0\.1:\d+/g, 'ann')).toBe(
      'ann: is here\nann: hello\nann: is gone\n',
    )
  })

  it('rx-word-count counts words', async () => {
    const program = started.example('rx-word-count', here)
    const [port = 0] = await portsOf(program)
    await say(port, 'the sea, the sea\n')
    await program.prints(/^(the 2, sea 2|sea 2, the 2)$/)
    await endsWell(program)
  })

  it('rx-rate-limit has its answers and ends; rx-reconnect stays, until it is told to go', async () => {
    const server = started.example('shout', here)
    const [port = 0] = await portsOf(server)
    const limited = started.example('rx-rate-limit', `tcp:127.0.0.1:${port}`, 'how')
    const faithful = started.example('rx-reconnect', `tcp:127.0.0.1:${port}`, 'rain')
    expect(await limited.ended).toEqual({ code: 0, stdout: '"HOW"\n', stderr: '' })
    await faithful.prints(/^"JOIN RAIN"$/)
    expect(await endsWell(faithful)).toBe('"JOIN RAIN"\n')
    await endsWell(server)
  })

  it('that somebody writes is started here, or by a test of its own', () => {
    const elsewhere = ['port-forward.ts']
    const itself = readFileSync(import.meta.filename, 'utf8')
    const programs = readdirSync('examples').filter(
      (file) => file.endsWith('.ts') && /^\s*react\(/m.test(readFileSync(`examples/${file}`, 'utf8')),
    )
    expect(programs.length).toBeGreaterThan(10)
    for (const file of programs.filter((each) => !elsewhere.includes(each))) {
      expect(itself).toContain(`started.example('${file.slice(0, -'.ts'.length)}'`)
    }
  })
})
