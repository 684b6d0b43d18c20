/** systemd's own program for socket activation starts our servers. */
import { spawn, spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { askOnce, conversation, serverCommand } from './generations.ts'
import { freePort } from './loopback.ts'
import { directory } from './worlds.ts'

const missing = spawnSync('systemd-socket-activate', ['--version']).error !== undefined

describe.skipIf(missing)('systemd-socket-activate', () => {
  /** It listens there, and starts our server when the first client comes. */
  async function activated(endpoint: string, ...places: string[]) {
    const listen = places.flatMap((place) => ['-l', place])
    const names = `--fdname=${['poem', 'prose'].slice(0, places.length).join(':')}`
    const child = spawn('systemd-socket-activate', [...listen, names, ...serverCommand(endpoint, 'activated')])
    for await (const line of createInterface(child.stderr)) if (line.includes(`as ${places.length + 2}.`)) break
    child.stderr.resume()
    return child
  }

  it('starts a server for a path, which answers the client that it was started for', async () => {
    const path = join(directory(), 'socket')
    const child = await activated('systemd:domain=UNIX:index=0', path)
    const answer = askOnce(connect(path), 'hello')
    const server = await conversation(child)
    expect(server.host).toBe('unix:(unnamed)')
    expect(await answer).toBe('activated hello\r\n')
    expect(await server.ask('environment')).toBe('[]')
    expect(await askOnce(connect(path), 'again')).toBe('activated again\r\n')
    expect(await server.end()).toBe(0)
  })

  it('starts a server for a port, which it finds by its name among others', async () => {
    const port = await freePort()
    const child = await activated('systemd:domain=INET:name=prose', join(directory(), 'socket'), `127.0.0.1:${port}`)
    const answer = askOnce(connect(port, '127.0.0.1'), 'hello')
    const server = await conversation(child)
    expect(server.host).toBe(`127.0.0.1:${port}`)
    expect(await answer).toBe('activated hello\r\n')
    expect(await server.ask('stop')).toBe('stopped')
    expect(await server.end()).toBe(0)
  })
})
