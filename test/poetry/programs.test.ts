import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtInPoems } from 'couplet/poetry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Program, Started } from './programs.ts'

const whole = builtInPoems.map(({ text }) => text).join('')
const started = new Started()

let folder = ''

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'programs-'))))
afterEach(async () => {
  await started.end()
  rmSync(folder, { recursive: true })
})

/** The ports on which a slowpoetry listens, once it does. */
async function portsOf(server: Program, count = 3): Promise<string[]> {
  const lines = await server.prints(/^listening on 127\.0\.0\.1:(\d+): .*\n/, count)
  await server.prints(/Ctrl-C ends it\n/)
  return lines.map(([, port = '']) => port)
}

describe('the programs', () => {
  it('give three poems to whoever asks, and end well on Ctrl-C', async () => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '10ms')
    const ports = await portsOf(server)
    const client = await started.poetry('get-poetry', ...ports).ended
    expect([client.code, client.stdout]).toEqual([0, whole])
    expect(client.stderr).toMatch(/^3 poems, 342 bytes, concurrent, in \d+\.\d\d s\n$/m)
    server.child.kill('SIGINT')
    expect(await server.ended).toEqual(expect.objectContaining({ code: 0, stderr: '' }))
  })

  it('get poems over Observables, too, and stop on Ctrl-C', async () => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '10ms')
    const ports = await portsOf(server)
    const client = await started.poetry('get-poetry', '--mode', 'rx', ...ports).ended
    expect([client.code, client.stdout]).toEqual([0, whole])
    expect(client.stderr).toMatch(/^3 poems, 342 bytes, rx, in \d+\.\d\d s\n$/m)
    const slow = started.poetry('slowpoetry', '--port', '0', '--delay', '3600s', '--num-bytes', '1')
    const impatient = started.poetry('get-poetry', '--mode', 'rx', ports[0]!, (await portsOf(slow))[0]!)
    await impatient.prints(/finished/)
    impatient.child.kill('SIGINT')
    expect(await impatient.ended).toEqual(expect.objectContaining({ code: 130, stdout: '' }))
  })

  it('end well on SIGTERM too, and the client of the moment still gets the rest of its poem', async () => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '200ms', '--num-bytes', '1')
    const [port = ''] = await portsOf(server)
    const client = started.poetry('get-poetry', port)
    await client.prints(/got 1 bytes from/)
    server.child.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    expect(await client.ended).toEqual(expect.objectContaining({ code: 0, stdout: builtInPoems[0].text }))
  })

  it('tell a poem that was cut off from a whole one, and print the others', async () => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '0')
    const [first = '', , third = ''] = await portsOf(server)
    const broken = await started.server((socket) => {
      socket.write('half a po')
      // Once the client has it, and not before: a reset may overtake what it follows.
      client.prints(/got 9 bytes from/).then(
        () => socket.resetAndDestroy(),
        () => undefined,
      )
    })
    const client: Program = started.poetry('get-poetry', first, broken, third)
    const { code, stdout, stderr } = await client.ended
    expect([code, stdout]).toEqual([74, `${builtInPoems[0].text}${builtInPoems[2].text}`])
    expect(stderr.match(/^get-poetry: .*$/gm)).toEqual([
      expect.stringContaining(`get-poetry: 127.0.0.1:${broken}: incomplete: only 9 bytes of the poem arrived (`),
    ])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('give up a poem that never ends on %s, and say nothing about it', async (signal, exit) => {
    const endless = await started.server((socket) => void socket.write('one\n'))
    const client = started.poetry('get-poetry', endless)
    await client.prints(/got 4 bytes from/)
    client.child.kill(signal)
    const { code, stdout, stderr } = await client.ended
    expect([code, stdout]).toEqual([exit, ''])
    expect(stderr).toBe(`task 1: got 4 bytes from 127.0.0.1:${endless}\n`)
  })

  it('are silent when whoever reads them has left', async () => {
    const poem = await started.server((socket) => {
      client.child.stdout?.destroy()
      socket.end('a poem that nobody wants\n')
    })
    const client: Program = started.poetry('get-poetry', poem)
    const { code, stderr } = await client.ended
    expect(code).toBe(141)
    expect(stderr).not.toMatch(/EPIPE|error|get-poetry:/i)
  })

  it('say which port is in use, or that no server is there', async () => {
    const taken = await started.server(() => undefined)
    const server = started.poetry('slowpoetry', '--port', taken)
    // Nobody but root can listen at port 1, and nobody does.
    const refused = started.poetry('get-poetry', '1')
    const [one, other] = await Promise.all([server.ended, refused.ended])
    expect([one.code, one.stdout]).toEqual([71, ''])
    expect(one.stderr).toMatch(new RegExp(`^slowpoetry: 127\\.0\\.0\\.1:${taken}: cannot listen: .*in use.*\\n$`))
    expect([other.code, other.stdout]).toEqual([69, ''])
    expect(other.stderr).toMatch(
      /^get-poetry: 127\.0\.0\.1:1: connection refused \(is the server running\?\)\n0 of 1 poems, /,
    )
  })

  it('run the experiment, in a pipe without a color', async () => {
    const { code, stdout, stderr } = await started.poetry('experiment', '--delay', '20ms').ended
    expect([code, stderr]).toEqual([0, ''])
    for (const { text } of builtInPoems) {
      for (const line of text.trim().split('\n')) expect(stdout.split(line)).toHaveLength(3)
    }
    expect(stdout).toMatch(/sequential \d+\.\d\d s {3}concurrent \d+\.\d\d s {3}ratio \d+\.\dx\n/)
    expect(stdout).not.toContain('\x1b')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('work together: poets, a proxy before them, a transform server, and clients of all three', async () => {
    const poets = started.poetry('slowpoetry', '--port', '0', '--delay', '20ms')
    const transform = started.poetry('poetry-transform', '--port', '0')
    const [first = '', second = ''] = await portsOf(poets)
    const [shouting = ''] = await portsOf(transform, 1)
    const proxy = started.poetry('poetry-proxy', '--port', '0', first, second)
    const proxied = await portsOf(proxy, 2)
    const client = await started.poetry('get-poetry', '--transform', `${shouting}:shout`, ...proxied).ended
    expect([client.code, client.stdout]).toEqual([0, (builtInPoems[0].text + builtInPoems[1].text).toUpperCase()])
    for (const server of [poets, transform, proxy]) server.child.kill('SIGTERM')
    for (const server of [poets, transform, proxy]) expect(await server.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('listen and connect at endpoints: in the file system, and with TLS', async () => {
    const certificates = 'test/node/certificates'
    const path = join(folder, 'poem')
    const identity = `privateKey=${certificates}/server.key:certKey=${certificates}/server.pem`
    const places = ['--listen', `unix:${path}`, '--listen', `tls:0:interface=127.0.0.1:${identity}`]
    const server = started.poetry('slowpoetry', '--delay', '0', ...places)
    await server.prints(/Ctrl-C ends it\n/)
    const [[, port = ''] = []] = await server.prints(/^listening on 127\.0\.0\.1:(\d+): .*\n/)
    const secure = `tls:127.0.0.1:${port}:serverName=poems.example`
    const [trusting, careful] = await Promise.all([
      started.poetry('get-poetry', `unix:${path}`, `${secure}:ca=${certificates}/ca.pem`).ended,
      started.poetry('get-poetry', secure).ended,
    ])
    expect([trusting?.code, trusting?.stdout]).toEqual([0, builtInPoems[0].text + builtInPoems[1].text])
    expect([careful?.code, careful?.stdout]).toEqual([77, ''])
    expect(careful?.stderr).toMatch(/^get-poetry: .*certificate.*\n/)
  })

  it('hang up on the server when the last client of the proxy is killed, but not before', async () => {
    let hangUp = (): void => {}
    const hungUp = new Promise<void>((resolve) => (hangUp = resolve))
    let ask: ((socket: Socket) => void) | undefined
    const asked = new Promise<Socket>((resolve) => (ask = resolve))
    const upstream = await started.server((socket) => {
      socket.on('close', () => hangUp()).write('a line\n')
      ask?.(socket)
    })
    const proxy = started.poetry('poetry-proxy', '--port', '0', upstream)
    const [port = ''] = await portsOf(proxy, 1)
    const client = started.poetry('get-poetry', port)
    const socket = await asked
    const impatient = started.poetry('get-poetry', '--timeout', '100ms', port)
    expect((await impatient.ended).code).toBe(75)
    expect(socket.destroyed).toBe(false)
    client.child.kill('SIGKILL')
    await hungUp
    expect(proxy.printed).not.toContain('poetry-proxy:')
  })

  it('draw what happened, in a pipe without a color and in 80 columns', async () => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '10ms')
    const ports = await portsOf(server)
    const pictures = await Promise.all(
      ['--timeline', '--log', '--chain'].map((what) => started.poetry('get-poetry', what, ...ports).ended),
    )
    for (const { code, stdout } of pictures) {
      expect(code).toBe(0)
      expect(stdout).not.toContain('\x1b')
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    }
    expect(pictures[0]?.stdout).toMatch(/●.* \d+\.\d\d s +128 bytes\n/)
    expect(pictures[1]?.stdout).toMatch(/hangs up: the poem is whole, 128 bytes\n/)
  })
})
