/** The recipes of docs/scale-out.md that need programs of others: systemd's and HAProxy. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { heldSocket } from '../node/generations.ts'
import { freePort } from '../node/loopback.ts'
import { rollingRestart } from '../node/rolling-restart.ts'
import { directory } from '../node/worlds.ts'
import { Started } from '../poetry/programs.ts'
import { activatedServer, inheriting, listens, spread } from './scale-out.ts'

const started = new Started()
afterEach(() => started.end())

const isMissing = (program: string): boolean => spawnSync(program, ['--version']).error !== undefined

describe.skipIf(isMissing('systemd-socket-activate'))('under systemd', () => {
  it('the server starts with the first client', async () => {
    const port = await freePort()
    const program = started.program('sh', 'examples/scale-out/systemd.sh', `127.0.0.1:${port}`)
    await program.prints(/^Listening on .* as 3\.$/)
    expect(await spread(started, port)).toEqual([64])
    await listens(program)
    program.child.kill('SIGTERM')
    expect((await program.ended).code).toBe(0)
  })

  it('servers come and go behind the socket, three times, and no client is dropped', async () => {
    const held = heldSocket()
    const systemd = ['env', 'SYSTEMD_LOG_LEVEL=err', 'systemd-socket-activate', '--fdname=lines']
    const start = inheriting(started, held, [...systemd, ...activatedServer])
    const { answers, dropped } = await rollingRestart(held.dial, [start, start, start, start], 50)
    expect(dropped).toEqual([])
    expect(answers.size).toBe(4)
  })

  it.skipIf(isMissing('systemd-analyze'))('the units are in order', () => {
    const folder = directory()
    const units = ['lines.socket', 'lines@.service'].map((name) => join(folder, name))
    for (const name of ['lines.socket', 'lines@.service']) cpSync(join('examples/scale-out', name), join(folder, name))
    const service = units[1]!
    writeFileSync(service, readFileSync(service, 'utf8').replace('/usr/bin/node', process.execPath))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units])
    expect([String(stdout), String(stderr), status]).toEqual(['', '', 0])
  })
})

describe.skipIf(isMissing('haproxy'))('behind HAProxy', () => {
  it('the servers know their clients, share them, and end after the last one has left', async () => {
    const port = await freePort()
    const program = started.example('scale-out/behind-haproxy', `127.0.0.1:${port}`)
    await program.prints(/^all are there$/)
    const [one = 0, other = 0] = await spread(started, port)
    // Who comes to two of its threads in the same moment may be sent to the same server twice.
    expect(one + other).toBe(64)
    expect(Math.min(one, other)).toBeGreaterThan(16)
    const client = connect(port, '127.0.0.1').setEncoding('utf8')
    const here = await new Promise((resolve) => client.once('connect', () => resolve(client.localPort)))
    client.write('who am I?\r\n')
    await once(client, 'readable')
    program.child.kill('SIGTERM')
    client.end('and now?\r\n')
    const answers = (await text(client)).replaceAll(/^\d+ to /gm, '')
    expect(answers).toBe(`127.0.0.1:${String(here)}: who am I?\r\n127.0.0.1:${String(here)}: and now?\r\n`)
    expect((await program.ended).code).toBe(0)
  })
})
