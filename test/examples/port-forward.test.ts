/** The port forwarder as a program, between programs that are not ours. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTLS, createServer as createTLSServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { ca, identity } from '../node/certificates.ts'
import { addressOf, listening } from '../node/loopback.ts'
import { type Program, Started } from '../poetry/programs.ts'

const started = new Started()
afterEach(() => started.end())

const certificates = join(import.meta.dirname, '..', 'node', 'certificates')

function forwarder(...args: string[]): Program {
  const example = ['-C', '@couplet/source', '--import', 'tsx', 'scripts/run.ts', 'examples', 'port-forward']
  return started.program(process.execPath, ...example, ...args)
}

async function portOf(program: Program): Promise<number> {
  const [[, port] = []] = await program.prints(/^listening on 127\.0\.0\.1:(\d+), forwarding to .+$/)
  return Number(port)
}

const here = 'tcp:0:interface=127.0.0.1'
/** Says what it heard in capitals, when it has heard all of it. */
function shouts(socket: Socket): void {
  const heard: Buffer[] = []
  socket.on('data', (chunk) => heard.push(chunk))
  socket.on('end', () => socket.end(Buffer.concat(heard).toString().toUpperCase()))
}

describe('the port forwarder', () => {
  it('forwards a question and its answer, and ends with 0 at Ctrl-C', async () => {
    const server = await listening(createServer({ allowHalfOpen: true }, shouts))
    const program = forwarder(here, `tcp:${String(addressOf(server))}`)
    const socket = connect({ port: await portOf(program), host: '127.0.0.1', allowHalfOpen: true })
    socket.end('question')
    expect(await text(socket)).toBe('QUESTION')
    program.child.kill('SIGINT')
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('puts TLS on, and takes it off', async () => {
    const secret = await listening(createTLSServer({ ...identity('server'), allowHalfOpen: true }, shouts))
    // In the clear to this one, in secret to the next, and that one talks in secret to the server.
    const trusted = `ca=${join(certificates, 'ca.pem')}:serverName=poems.example`
    const inner = forwarder(
      `tls:0:interface=127.0.0.1:privateKey=${join(certificates, 'server.key')}:certKey=${join(certificates, 'server.pem')}`,
      `tls:${String(addressOf(secret))}:${trusted}`,
    )
    const innerPort = await portOf(inner)
    const trusting = { ca, servername: 'poems.example' }
    const direct = connectTLS({ ...trusting, port: innerPort, host: '127.0.0.1' })
    direct.end('in secret')
    expect(await text(direct)).toBe('IN SECRET')
    const outer = forwarder(here, `tls:127.0.0.1:${innerPort}:${trusted}`)
    const socket = connect({ port: await portOf(outer), host: '127.0.0.1', allowHalfOpen: true })
    socket.end('x'.repeat(300_000))
    expect(await text(socket)).toBe('X'.repeat(300_000))
    for (const program of [outer, inner]) {
      program.child.kill('SIGTERM')
      expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
    }
  })

  it('resets the client for whom nobody is there, says why in one line, and goes on', async () => {
    const program = forwarder(here, 'unix:/nowhere/at/all')
    const port = await portOf(program)
    const socket = connect(port, '127.0.0.1')
    socket.resume().write('hello')
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
    await program.prints(/^127\.0\.0\.1:\d+ could not be forwarded to unix:\/nowhere\/at\/all: .+$/)
    program.child.kill('SIGINT')
    const { code, stderr } = await program.ended
    expect([code, stderr.trim().split('\n').length]).toEqual([0, 1])
  })

  it('says how it is called', async () => {
    const { code, stdout, stderr } = await forwarder('--help').ended
    expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^Usage: /), ''])
  })

  it.each([
    [['tcp:0'], /^port-forward: two endpoints are needed, not 1.*\n$/],
    [['tcp:0', 'tcp:x'], /^port-forward: the argument port is missing\n {2}tcp:x\n {7}\^\n {2}it is written .*\n$/],
    [[here, 'tcp:localhost:1', '--max-clients', 'many'], /^port-forward: .*NaN.*\n$/],
    [[here, 'tcp:localhost:1', '--fast'], /^port-forward: Unknown option '--fast'.*\n$/],
  ])('called with %j ends with 2 and what is wrong with that', async (args, message) => {
    const { code, stdout, stderr } = await forwarder(...args).ended
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)])
  })

  it('that cannot listen ends with 1', async () => {
    const { port } = addressOf(await listening(createServer()))
    const { code, stderr } = await forwarder(`tcp:${port}:interface=127.0.0.1`, 'tcp:localhost:1').ended
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^port-forward: 127\.0\.0\.1:\d+: cannot listen: .+\n$/)])
  })
})
