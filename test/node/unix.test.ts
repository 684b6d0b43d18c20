/** Sockets in the file system: what is at their path before, while and after a server listens there. */
import { chmodSync, existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  CannotListenError,
  ClientFactory,
  ConnectError,
  ConnectionDone,
  ConnectionRefusedError,
  type Connector,
  Factory,
  Protocol,
  UNIXAddress,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { Witness } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Loopback, until } from './loopback.ts'
import { directory } from './worlds.ts'

const reactor = new NodeReactor()
const nothing = Factory.forProtocol(() => new Witness())

class Echo extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

async function listen(path: string, options = {}): Promise<void> {
  const port = await reactor.listenUNIX(path, nothing, options)
  onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
}

/** What went wrong with listening there. */
function whyNot(path: string, options = {}): Promise<unknown> {
  return reactor
    .listenUNIX(path, nothing, options)
    .addCallbacks(
      (port) => port.stopListening().addCallback(() => 'it listens'),
      ({ value }) => value,
    )
    .toPromise()
}

/** A socket in the file system whose server was killed. */
function deadSocket(): string {
  const path = join(directory(), 'dead')
  const server = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  try {
    execFileSync(process.execPath, ['-e', server])
  } catch {
    // It was killed, as it should be.
  }
  expect(lstatSync(path).isSocket()).toBe(true)
  return path
}

describe('listenUNIX', () => {
  it('gives clients an echo, and both sides know their addresses', async () => {
    const net = new Loopback()
    const path = join(directory(), 'echo')
    const port = await net.reactor.listenUNIX(
      path,
      Factory.forProtocol(() => new Echo()),
    )
    expect(String(port.host)).toBe(`unix:${path}`)
    const connection = await net.reactor.dial(port.host)
    const witness = new Witness()
    connection.deliverTo(witness)
    expect([String(connection.peer), String(connection.host)]).toEqual([`unix:${path}`, 'unix:(unnamed)'])
    connection.write('hello')
    await until(() => witness.text === 'hello')
    connection.loseConnection()
    await until(() => witness.losses === 1 && net.reactor.stats().open === 0)
    expect(witness.reason).toBeInstanceOf(ConnectionDone)
    await port.stopListening()
    expect(net.reactor.stats()).toMatchObject({ ports: 0, accepted: 1 })
  })

  it.each([
    ['the user alone, unless told otherwise', undefined, 0o600],
    ['whom the mode says', 0o660, 0o660],
    ['everybody', 0o666, 0o666],
  ])('lets in %s', async (_who, mode, expected) => {
    const path = join(directory(), 'socket')
    await listen(path, { mode })
    expect(lstatSync(path).mode & 0o777).toBe(expected)
    // The mask of the process is as it was.
    const file = `${path}.txt`
    writeFileSync(file, '')
    expect(lstatSync(file).mode & 0o600).toBe(0o600)
  })

  it('refuses a mode that is none', async () => {
    const error = await whyNot(join(directory(), 'socket'), { mode: 0o1777 })
    expect(error).toBeInstanceOf(CannotListenError)
    expect(String(error)).toMatch(/a mode is a number from 0 to 0o777/)
  })

  it('removes the socket when it stops', async () => {
    const path = join(directory(), 'socket')
    const port = await reactor.listenUNIX(path, nothing)
    await port.stopListening()
    expect(existsSync(path)).toBe(false)
    await listen(path)
  })

  it('takes over the socket of a server that is dead', async () => {
    const path = deadSocket()
    await listen(path)
    const connection = await reactor.dial(new UNIXAddress(path))
    connection.abortConnection()
  })

  it('leaves the socket of a server that is alive', async () => {
    const path = join(directory(), 'socket')
    await listen(path)
    const error = await whyNot(path)
    expect(error).toBeInstanceOf(CannotListenError)
    expect((error as Error).message).toBe(
      `unix:${path}: cannot listen: somebody listens at this path (is the server running already?)`,
    )
    const connection = await reactor.dial(new UNIXAddress(path))
    connection.abortConnection()
  })

  it.each<[what: string, make: (path: string) => void]>([
    ['a file', (path) => writeFileSync(path, 'a poem')],
    ['a link to a file', (path) => (writeFileSync(`${path}.txt`, 'a poem'), symlinkSync(`${path}.txt`, path))],
    ['a link to a dead socket', (path) => symlinkSync(deadSocket(), path)],
  ])('never removes %s', async (_what, make) => {
    const path = join(directory(), 'socket')
    make(path)
    const before = lstatSync(path)
    const error = await whyNot(path)
    expect(error).toBeInstanceOf(CannotListenError)
    expect(String(error)).toMatch(/there is something else at this path, which is left alone/)
    expect(lstatSync(path).ino).toBe(before.ino)
    if (before.isFile()) expect(readFileSync(path, 'utf8')).toBe('a poem')
  })

  it('refuses a path that does not fit, by name and with the limit, and makes no other', async () => {
    const folder = directory()
    const longest = join(folder, 'x'.repeat(107 - folder.length - 1))
    await listen(longest)
    const error = await whyNot(`${longest}x`)
    expect(error).toBeInstanceOf(CannotListenError)
    expect(String(error)).toContain(`has 107 bytes at most, this one has 108`)
    expect(String(error)).toContain(longest)
    const dialed = reactor.dial(new UNIXAddress(`${longest}x`))
    await expect(dialed).rejects.toThrow(/107 bytes at most, this one has 108/)
    await expect(reactor.dial(new UNIXAddress(`${longest}x`))).rejects.toBeInstanceOf(ConnectError)
  })

  it('counts the bytes of a path, not its letters', async () => {
    const folder = directory()
    const path = join(folder, 'ü'.repeat(50))
    expect(path.length).toBeLessThan(107)
    expect(String(await whyNot(path))).toMatch(/107 bytes at most/)
  })

  it.each([
    ['an empty path', '', /the path is empty/],
    ['a path with a zero byte', '/tmp/a\0b', /zero byte/],
    ['a directory that is not there', '/nowhere/at/all', /the directory of this path does not exist/],
    ['a directory that is a file', '/etc/passwd/socket', /a part of this path is a file/],
  ])('says what is wrong with %s', async (_what, path, message) => {
    const error = await whyNot(path)
    expect(error).toBeInstanceOf(CannotListenError)
    expect(String(error)).toMatch(message)
  })

  it.skipIf(process.getuid?.() === 0)('says that a directory is not permitted', async () => {
    const folder = directory()
    chmodSync(folder, 0o500)
    expect(String(await whyNot(join(folder, 'socket')))).toMatch(/not permitted \(may this user write/)
    chmodSync(folder, 0o700)
  })

  it('that is cancelled while it takes over leaves nothing behind', async () => {
    const path = deadSocket()
    const net = new Loopback()
    const listened = net.reactor.listenUNIX(path, nothing).addErrback(() => 'cancelled')
    listened.cancel()
    expect(await listened).toBe('cancelled')
    await net.settle()
    expect(net.reactor.stats().ports).toBe(0)
    await listen(path)
  })
})

describe('dialing a path', () => {
  it('at which nothing is says so', async () => {
    const dialed = reactor.dial(new UNIXAddress(join(directory(), 'nobody')))
    await expect(dialed).rejects.toThrow(/there is no such socket \(is the server running\?\)/)
  })

  it('at which a dead socket is is refused', async () => {
    await expect(reactor.dial(new UNIXAddress(deadSocket()))).rejects.toBeInstanceOf(ConnectionRefusedError)
  })

  it('at which a file is is refused', async () => {
    const path = join(directory(), 'file')
    writeFileSync(path, '')
    await expect(reactor.dial(new UNIXAddress(path))).rejects.toBeInstanceOf(ConnectError)
  })
})

describe('connectUNIX', () => {
  it('tells its factory what happens, as connectTCP does', async () => {
    const net = new Loopback()
    const path = join(directory(), 'socket')
    const port = await net.reactor.listenUNIX(
      path,
      Factory.forProtocol(() => new Echo()),
    )
    const calls: string[] = []
    class Diary extends ClientFactory {
      override startedConnecting(connector: Connector): void {
        calls.push(`started ${connector.state}`)
      }
      override buildProtocol(): Protocol {
        calls.push('build')
        return new Witness({ made: (self) => self.transport.loseConnection() })
      }
      override clientConnectionLost(connector: Connector, reason: Error): void {
        calls.push(`lost ${reason.name}, ${connector.state}`)
      }
      override clientConnectionFailed(_connector: Connector, reason: Error): void {
        calls.push(`failed ${reason.message}`)
      }
    }
    const connector = net.reactor.connectUNIX(path, new Diary())
    expect(connector.destination).toEqual(new UNIXAddress(path))
    await until(() => calls.length === 3)
    expect(calls).toEqual(['started connecting', 'build', 'lost ConnectionDone, disconnected'])
    await port.stopListening({ drain: 0 })
    connector.connect()
    await until(() => calls.length === 5)
    expect(calls.at(-1)).toBe(`failed unix:${path}: there is no such socket (is the server running?)`)
  })
})

it("a server that is not ours cannot tell us from one of Node's", async () => {
  const net = new Loopback()
  const path = join(directory(), 'socket')
  const server = createServer((socket) => void socket.end('from Node'))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => void server.close())
  const witness = new Witness()
  const connection = await net.reactor.dial(new UNIXAddress(path))
  connection.deliverTo(witness)
  await until(() => witness.losses === 1)
  expect([witness.text, witness.reason?.name]).toEqual(['from Node', 'ConnectionDone'])
})
