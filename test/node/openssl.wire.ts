/** TLS and sockets in the file system with OpenSSL's own programs at the other end, both ways round. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  attach,
  ConnectionDone,
  ConnectionLost,
  Factory,
  type IPv4Address,
  LineReceiver,
  type ListeningPort,
  TLSError,
  type TLSServerOptions,
  toText,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { reports } from '../reports.ts'
import { client, identity, server } from './certificates.ts'
import { anywhere, freePort, until } from './loopback.ts'
import { directory } from './worlds.ts'

const reactor = new NodeReactor()
const pems = join(import.meta.dirname, 'certificates')

class Shout extends LineReceiver {
  static seen: Shout[] = []
  reason: Error | undefined
  override connectionMade(): void {
    Shout.seen.push(this)
  }
  override lineReceived(line: Uint8Array): void {
    this.sendLine(toText(line).toUpperCase())
  }
  override connectionLost(reason: Error): void {
    this.reason = reason
  }
}

async function shouting(tls?: TLSServerOptions): Promise<ListeningPort> {
  Shout.seen = []
  const factory = Factory.forProtocol(() => new Shout())
  const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1', tls })
  onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
  return port
}

/** Runs `openssl` there; what it says, and how it ended. */
class OpenSSL {
  readonly process: ChildProcess
  said = ''
  #hasEnded = false

  constructor(...args: string[]) {
    this.process = spawn('openssl', args, { cwd: pems, stdio: ['pipe', 'pipe', 'pipe'] })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    }
    this.process.once('close', () => (this.#hasEnded = true))
    onTestFinished(() => void this.process.kill())
  }

  say(text: string): void {
    this.process.stdin?.write(text)
  }

  async ended(): Promise<number | null> {
    if (!this.#hasEnded) await once(this.process, 'close')
    return this.process.exitCode
  }

  /** Waits until it has said that. */
  hears(text: string | RegExp): Promise<void> {
    return until(() => {
      if (this.said.match(text) !== null) return true
      if (this.#hasEnded) throw new Error(`openssl has ended without saying ${text}, but:\n${this.said}`)
      return false
    })
  }
}

function s_client(to: ListeningPort, ...args: string[]): OpenSSL {
  const trusting = ['-CAfile', 'ca.pem', '-verify_return_error', '-verify_hostname', 'poems.example']
  const asking = ['-servername', 'poems.example', '-connect', String(to.host), '-ign_eof']
  return new OpenSSL('s_client', ...asking, ...trusting, ...args)
}

describe('openssl s_client', () => {
  it.each([
    ['-tls1_2', 'TLSv1.2'],
    ['-tls1_3', 'TLSv1.3'],
  ])('talks to our server and says goodbye: %s', async (flag, version) => {
    const port = await shouting({ ...server, alpn: ['shout'] })
    const openssl = s_client(port, flag, '-alpn', 'prose,shout', '-crlf')
    openssl.say('a poem\n')
    await openssl.hears(/A POEM/)
    expect(openssl.said).toMatch(/Verification: OK|Verify return code: 0 \(ok\)/)
    expect(openssl.said).toContain('ALPN protocol: shout')
    const [shout] = Shout.seen
    expect(shout?.transport.tls).toMatchObject({ version, alpn: 'shout', serverName: 'poems.example' })
    shout?.transport.loseConnection()
    expect(await openssl.ended()).toBe(0)
    await until(() => shout?.reason !== undefined)
    expect(shout?.reason).toBeInstanceOf(ConnectionDone)
  })

  it('that is killed has not said goodbye', async () => {
    const port = await shouting(server)
    const openssl = s_client(port)
    openssl.say('a poem')
    await until(() => Shout.seen.length === 1)
    openssl.process.kill('SIGKILL')
    await until(() => Shout.seen[0]?.reason !== undefined)
    expect(Shout.seen[0]?.reason).toBeInstanceOf(ConnectionLost)
    expect(Shout.seen[0]?.reason).not.toBeInstanceOf(ConnectionDone)
  })

  it('is refused without a certificate, and let in with one', async () => {
    const errors = reports()
    const port = await shouting({ ...server, ca: client.ca, requestCert: true })
    const stranger = s_client(port)
    expect(await stranger.ended()).not.toBe(0)
    await until(() => errors.length > 0)
    expect(String(errors[0]?.error)).toMatch(/showed no certificate/)
    const known = s_client(port, '-cert', 'client.pem', '-key', 'client.key', '-crlf')
    known.say('a poem\n')
    await known.hears(/A POEM/)
    expect(Shout.seen).toHaveLength(1)
    expect(Shout.seen[0]?.transport.tls).toMatchObject({
      verified: true,
      peerCertificate: { subject: 'CN=client.example' },
    })
  })

  it('of TLS 1.1 is refused, in words', async () => {
    const errors = reports()
    const port = await shouting(server)
    const old = s_client(port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')
    expect(await old.ended()).not.toBe(0)
    await until(() => errors.length > 0)
    expect(String(errors[0]?.error)).toMatch(/no version of TLS in common/)
  })

  it('turns to TLS in the middle: -starttls smtp', async () => {
    class Mail extends LineReceiver {
      static outcome: unknown
      override connectionMade(): void {
        this.sendLine('220 poems.example ESMTP')
      }
      override lineReceived(line: Uint8Array): void {
        const text = toText(line)
        if (text.startsWith('EHLO')) {
          this.sendLine('250-poems.example')
          this.sendLine('250 STARTTLS')
        } else if (text === 'STARTTLS') {
          this.sendLine('220 go ahead')
          this.transport
            .startTLS({ role: 'server', ...server })
            .addBoth((result) => (Mail.outcome = result ?? 'secure'))
        } else {
          this.sendLine(`250 ${this.transport.tls?.version}`)
        }
      }
    }
    const port = await reactor.listen(anywhere, (connection) => connection.deliverTo(new Mail()))
    onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
    const openssl = s_client(port, '-starttls', 'smtp', '-crlf')
    openssl.say('NOOP\n')
    await openssl.hears(/250 TLSv1\.3/)
    expect(Mail.outcome).toBe('secure')
  })

  it('talks to our server in the file system', async () => {
    const path = join(directory(), 'shout')
    const factory = Factory.forProtocol(() => new Shout())
    const port = await reactor.listenUNIX(path, factory, { tls: server })
    onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
    const asking = ['-unix', path, '-servername', 'poems.example', '-CAfile', 'ca.pem', '-ign_eof', '-crlf']
    const openssl = new OpenSSL('s_client', ...asking)
    openssl.say('a poem\n')
    await openssl.hears(/A POEM/)
  })
})

describe('openssl s_server', () => {
  /** Runs it on a port that was free a moment ago. */
  async function serving(...args: string[]): Promise<[OpenSSL, IPv4Address]> {
    const address = anywhere.withPort(await freePort())
    const openssl = new OpenSSL('s_server', '-accept', String(address), ...args)
    await openssl.hears(/ACCEPT/)
    return [openssl, address]
  }

  it.each([
    ['-tls1_2', 'TLSv1.2'],
    ['-tls1_3', 'TLSv1.3'],
  ])('hears our client, reads its certificate, and says goodbye: %s', async (flag, version) => {
    const mutual = ['-Verify', '1', '-CAfile', 'ca.pem', '-verify_return_error']
    const [openssl, address] = await serving(flag, '-cert', 'server.pem', '-key', 'server.key', '-rev', ...mutual)
    const connection = await reactor.dial(address, { tls: { ...client, ...identity('client') } })
    expect(connection.tls).toMatchObject({ version, verified: true })
    const protocol = await attach(
      Factory.forProtocol(() => new AccumulatingProtocol()),
      connection,
    )
    connection.write('drawer\n')
    await until(() => protocol.text().includes('reward'))
    connection.loseConnection()
    expect(await connection.whenLost()).toBeInstanceOf(ConnectionDone)
    await openssl.hears(/CN ?= ?client\.example/)
  })

  it.each([
    ['expired', 'CERT_HAS_EXPIRED'],
    ['elsewhere', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ])('with a certificate that is %s is refused', async (name, code) => {
    const [, address] = await serving('-cert', `${name}.pem`, '-key', `${name}.key`)
    const error: unknown = await reactor.dial(address, { tls: client }).addErrback(({ value }) => value)
    expect(error).toBeInstanceOf(TLSError)
    expect(error).toMatchObject({ code })
  })
})
