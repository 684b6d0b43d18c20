/** TLS and sockets in the file system with Twisted at the other end, both ways round. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  type Address,
  ConnectionDone,
  Factory,
  IPv4Address,
  LineReceiver,
  type ListeningPort,
  toText,
  UNIXAddress,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { pythonWith } from '../python.ts'
import { ca, server } from './certificates.ts'
import { anywhere, until } from './loopback.ts'
import { directory } from './worlds.ts'

const python = pythonWith(
  ['twisted', 'OpenSSL', 'service_identity'],
  'python3-twisted',
  'python3-openssl',
  'python3-service-identity',
)

const reactor = new NodeReactor()

class Peer {
  readonly process: ChildProcess
  said = ''
  #hasEnded = false

  constructor(side: 'server' | 'client', kind: 'tls' | 'unix', place: string) {
    this.process = spawn(python!, [join(import.meta.dirname, 'twisted_secure_peer.py'), side, kind, place])
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    this.process.once('close', () => (this.#hasEnded = true))
    onTestFinished(async () => {
      this.process.kill()
      if (!this.#hasEnded) await once(this.process, 'close')
    })
  }

  /** Waits until it has said that. */
  async hears(words: RegExp): Promise<string> {
    await until(() => words.test(this.said) || this.#hasEnded)
    return words.exec(this.said)?.[1] ?? ''
  }
}

class Talk extends LineReceiver {
  readonly lines: string[] = []
  reason: Error | undefined
  override lineReceived(line: Uint8Array): void {
    const text = toText(line)
    this.lines.push(text)
    this.answer(text)
  }
  answer(text: string): void {
    this.sendLine(text.toUpperCase())
    if (text === 'bye') this.transport.loseConnection()
  }
  override connectionLost(reason: Error): void {
    this.reason = reason
  }
}

class Asking extends Talk {
  override connectionMade(): void {
    this.sendLine('hello')
  }
  override answer(text: string): void {
    if (text === 'HELLO') this.sendLine('bye')
  }
}

describe.skipIf(python === undefined)("Twisted's peers", () => {
  it.each(['tls', 'unix'] as const)('serve our client, and end cleanly on both sides: %s', async (kind) => {
    const path = kind === 'unix' ? join(directory(), 'talk') : ''
    const peer = new Peer('server', kind, path)
    const place = await peer.hears(/listening (\S+)\n/)
    expect(peer.said).toContain('listening')
    const address: Address =
      kind === 'unix' ? new UNIXAddress(path) : new IPv4Address('TCP', '127.0.0.1', Number(place))
    const tls = kind === 'tls' ? { ca } : undefined
    const connection = await reactor.dial(address, { tls })
    const asking = new Asking()
    connection.deliverTo(asking)
    expect(await connection.whenLost()).toBeInstanceOf(ConnectionDone)
    expect(asking.lines).toEqual(['HELLO', 'BYE'])
    await peer.hears(/lost.*\n/)
    expect(peer.said).toMatch(/line hello\nline bye\nlost ConnectionDone\n/)
  })

  it.each(['tls', 'unix'] as const)('are served by us, and end cleanly on both sides: %s', async (kind) => {
    const talk = new Talk()
    const at = kind === 'unix' ? new UNIXAddress(join(directory(), 'talk')) : anywhere
    const tls = kind === 'tls' ? server : undefined
    const port: ListeningPort = await reactor.listenWith(
      at,
      Factory.forProtocol(() => talk),
      { tls },
    )
    onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
    const { host } = port
    const peer = new Peer('client', kind, host instanceof IPv4Address ? String(host.port) : (host as UNIXAddress).path)
    await peer.hears(/lost.*\n/)
    expect(peer.said).toBe('line HELLO\nline BYE\nlost ConnectionDone\n')
    await until(() => talk.reason !== undefined)
    expect(talk.reason).toBeInstanceOf(ConnectionDone)
  })
})
