/**
 * One end's TLS in the simulated world: the handshake in its round trips, who the peer is, and the goodbye; no secrets.
 *
 * It knows no connection: bytes go in, bytes and news come out. As with OpenSSL beneath Node, a client of TLS 1.3 is done
 * before the server has looked at its certificate, and whoever is not accepted for it is just hung up on. Ancestor:
 * `twisted.protocols.tls.TLSMemoryBIOProtocol`.
 */
import { type Address, ipAddress } from '../../core/address.ts'
import { type Data, toBytes, toText } from '../../core/bytes.ts'
import type { DelayedCall } from '../../core/clock.ts'
import { CannotListenError, type TLSError, withoutStack } from '../../core/errors.ts'
import type { Reactor } from '../../core/reactor.ts'
import {
  checkTLSOptions,
  handshakeTimeout,
  type StartTLSOptions,
  type TLSClientOptions,
  type TLSFacts,
  type TLSOptions,
  type TLSServerOptions,
  type TLSVersion,
} from '../../core/tls.ts'
import {
  alertError,
  certificateError,
  cutError,
  handshakeError,
  handshakeTimedOut,
  serverNameFor,
  warnOfInsecurity,
} from '../../core/tls-errors.ts'
import {
  type Certificate,
  type CertificateProblem,
  checkIdentity,
  peerCertificate,
  readAuthorities,
  readCertificates,
  whyNotAccepted,
} from './certificate.ts'
import { closeNotify, encodeRecord, NotTLS, RecordReader, RecordType, type TLSRecord } from './record.ts'

/** What the two sides tell each other before they are secure. */
type Message =
  | {
      readonly is: 'hello'
      readonly versions: readonly [oldest: TLSVersion, newest: TLSVersion]
      readonly serverName: string | undefined
      readonly alpn: readonly string[] | undefined
    }
  | {
      readonly is: 'answer'
      readonly version: TLSVersion
      readonly alpn: string | undefined
      readonly cert: string
      readonly wantsCert: boolean
    }
  | { readonly is: 'finished'; readonly cert: string | undefined }

type Hello = Message & { is: 'hello' }
type Answer = Message & { is: 'answer' }

/** The connection that a session is about. */
export interface TLSOutside {
  readonly reactor: Reactor
  readonly peer: Address
  /** Whether what the peer says is wanted now. */
  readonly reading: boolean
  /** Bytes for the peer. */
  send(bytes: Uint8Array): void
  /** The handshake is done, and the peer accepted. */
  secured(facts: TLSFacts): void
  /** It is not going to be; what the peer is to hear of it was sent. */
  unsecured(error: TLSError): void
  /** What the peer said in secret. */
  heard(bytes: Uint8Array): void
  /** It says no more. @param cut what is wrong with that, if it did not say goodbye */
  ended(cut?: TLSError): void
  /** It does not want to go on. */
  broken(error: TLSError): void
}

const ciphers = { 'TLSv1.2': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLSv1.3': 'TLS_AES_256_GCM_SHA384' } as const

export class TLSSession {
  readonly #outside: TLSOutside
  readonly #options: StartTLSOptions
  readonly #records = new RecordReader()
  #state: 'asks' | 'answered' | 'finishing' | 'secure' | 'ended' | 'over' = 'asks'
  #timer: DelayedCall | undefined
  /** The input of the connection has ended. */
  #inputEnded = false
  #serverName: string | undefined
  #hello: Hello | undefined
  #answer: Answer | undefined
  #facts: TLSFacts | undefined

  constructor(outside: TLSOutside, options: StartTLSOptions) {
    this.#outside = outside
    this.#options = options
  }

  /** What was agreed upon, once it was. */
  get facts(): TLSFacts | undefined {
    return this.#facts
  }

  /** The handshake begins. May say at once that it cannot. */
  begin(): void {
    const { reactor, peer } = this.#outside
    const ms = this.#options.handshakeTimeout ?? handshakeTimeout
    this.#timer = reactor.callLater(ms, () => this.#fail(handshakeTimedOut(peer, ms)))
    try {
      checkOwn(this.#options)
      if (this.#options.role === 'client') this.#sayHello(this.#options)
    } catch (error) {
      this.#fail(certificateError(peer, error as Error))
    }
  }

  /** Bytes have come. */
  append(chunk: Uint8Array): void {
    if (this.#state === 'over') return
    this.#records.append(chunk)
    this.read()
  }

  /** No more bytes will come. */
  inputEnds(): void {
    this.#inputEnded = true
    this.read()
  }

  /** Goes through what has come, as far as it is wanted. */
  read(): void {
    try {
      while (this.#wanted) {
        const record = this.#records.next()
        if (record === undefined) break
        this.#take(record)
      }
    } catch (error) {
      if (!(error instanceof NotTLS)) throw error
      this.#breaks(error)
    }
    if (this.#inputEnded && this.#wanted) this.#inputIsOver()
  }

  /** The connection is gone. */
  lost(): void {
    if (!this.#isShaking) this.#stop()
    else this.#fail(handshakeError(this.#outside.peer, closedBefore()))
  }

  /** Nothing more is to come of it. */
  #stop(): void {
    this.#state = 'over'
    if (this.#timer?.active() === true) this.#timer.cancel()
  }

  get #isShaking(): boolean {
    return this.#state === 'asks' || this.#state === 'answered' || this.#state === 'finishing'
  }

  get #wanted(): boolean {
    return this.#isShaking || (this.#state === 'secure' && this.#outside.reading)
  }

  #take({ type, payload }: TLSRecord): void {
    if (type === RecordType.alert) this.#alerted(toText(payload))
    else if (type === RecordType.handshake) this.#hear(payload)
    else if (this.#isShaking) throw new NotTLS('ERR_SSL_UNEXPECTED_MESSAGE')
    else if (payload.length > 0) this.#outside.heard(payload)
  }

  #alerted(alert: string): void {
    if (alert === closeNotify && !this.#isShaking) {
      this.#state = 'ended'
      this.#outside.ended()
    } else {
      this.#breaks(alert === closeNotify ? closedBefore() : new NotTLS(alert))
    }
  }

  #inputIsOver(): void {
    if (this.#isShaking) {
      this.#fail(handshakeError(this.#outside.peer, closedBefore()))
    } else {
      this.#state = 'ended'
      this.#outside.ended(withoutStack(() => cutError(this.#outside.peer)))
    }
  }

  /* ---------------------------------------------------------------- the handshake */

  #hear(payload: Uint8Array): void {
    const message = parse(payload)
    const server = this.#options.role === 'server'
    if (message?.is === 'hello' && server && this.#state === 'asks') this.#greeted(message, this.#options)
    else if (message?.is === 'answer' && !server && this.#state === 'asks') this.#answered(message)
    else if (message?.is === 'finished' && server && this.#state === 'answered') this.#clientFinished(message.cert)
    else if (message?.is === 'finished' && !server && this.#state === 'finishing') this.#verifyServer()
    else throw new NotTLS('ERR_SSL_UNEXPECTED_MESSAGE')
  }

  #sayHello(options: TLSClientOptions): void {
    const { peer } = this.#outside
    const { alpn, insecure } = options
    this.#serverName = serverNameFor(peer, options)
    if (insecure !== undefined) warnOfInsecurity(peer, insecure)
    // An address is no name to ask for (RFC 6066, section 3).
    const asked = this.#serverName === undefined || ipAddress(this.#serverName) !== undefined
    this.#say({ is: 'hello', versions: versionsOf(options), serverName: asked ? undefined : this.#serverName, alpn })
  }

  #greeted(hello: Hello, options: StartTLSOptions): void {
    const [oldest, newest] = versionsOf(options)
    const version = newest < hello.versions[1] ? newest : hello.versions[1]
    if (version < oldest || version < hello.versions[0]) {
      this.#refuse('ERR_SSL_UNSUPPORTED_PROTOCOL', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
      return
    }
    const alpn = options.alpn?.find((one) => hello.alpn?.includes(one))
    if (options.alpn !== undefined && hello.alpn !== undefined && alpn === undefined) {
      this.#refuse('ERR_SSL_NO_APPLICATION_PROTOCOL', 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
      return
    }
    this.#hello = hello
    this.#state = 'answered'
    const wantsCert = 'requestCert' in options && options.requestCert === true
    this.#answer = { is: 'answer', version, alpn, cert: textOf(options.cert) ?? '', wantsCert }
    this.#say(this.#answer)
  }

  #answered(answer: Answer): void {
    this.#answer = answer
    this.#state = 'finishing'
    this.#say({ is: 'finished', cert: answer.wantsCert ? textOf(this.#options.cert) : undefined })
    if (answer.version === 'TLSv1.3') this.#verifyServer()
  }

  #verifyServer(): void {
    const { insecure } = this.#options as TLSClientOptions
    const chain = readCertificates(this.#answer?.cert ?? '')
    const problem = this.#problemWith(chain, 'server')
    if (problem !== undefined && insecure === undefined) this.#fail(handshakeError(this.#outside.peer, problem))
    else this.#done(chain, problem === undefined)
  }

  #clientFinished(cert: string | undefined): void {
    const { version, wantsCert } = this.#answer!
    if (wantsCert && cert === undefined) {
      const alert =
        version === 'TLSv1.3' ? 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' : 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'
      this.#refuse('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', alert)
      return
    }
    if (version === 'TLSv1.2') this.#say({ is: 'finished', cert: undefined })
    const chain = cert === undefined ? [] : readCertificates(cert)
    const problem = wantsCert ? this.#problemWith(chain, 'client') : undefined
    if (problem !== undefined) this.#fail(handshakeError(this.#outside.peer, problem))
    else this.#done(chain, wantsCert)
  }

  #problemWith(chain: readonly Certificate[], side: 'server' | 'client'): CertificateProblem | undefined {
    return whyNotAccepted(chain, {
      trusted: readAuthorities(this.#options.ca),
      date: this.#outside.reactor.wallTime(),
      side,
      name: side === 'server' ? this.#serverName : undefined,
    })
  }

  #done([leaf]: readonly Certificate[], verified: boolean): void {
    const { version, alpn } = this.#answer!
    this.#facts = {
      version,
      cipher: ciphers[version],
      alpn,
      serverName: this.#serverName ?? this.#hello?.serverName,
      verified,
      peerCertificate: leaf === undefined ? undefined : peerCertificate(leaf),
    }
    this.#stop()
    this.#state = 'secure'
    this.#outside.secured(this.#facts)
  }

  #say(message: Message): void {
    this.#outside.send(encodeRecord(RecordType.handshake, toBytes(JSON.stringify(message))))
  }

  /** The peer gets an alert, which there has a code of its own. */
  #refuse(code: string, alert: string): void {
    this.#outside.send(encodeRecord(RecordType.alert, toBytes(alert)))
    this.#fail(handshakeError(this.#outside.peer, new NotTLS(code)))
  }

  #breaks(error: Error): void {
    const { peer } = this.#outside
    if (this.#isShaking) {
      this.#fail(handshakeError(peer, error))
    } else {
      this.#stop()
      this.#outside.broken(alertError(peer, error) ?? handshakeError(peer, error))
    }
  }

  #fail(error: TLSError): void {
    if (!this.#isShaking) return
    this.#stop()
    this.#outside.unsecured(error)
  }
}

/** @throws TypeError if the options cannot be; CannotListenError if the certificate and its key cannot be used */
export function checkServerOptions(where: Address, options: TLSServerOptions): void {
  checkTLSOptions('server', options)
  try {
    checkOwn(options)
  } catch (problem) {
    const cause = certificateError(where, problem as Error)
    throw new CannotListenError(where, cause.message.replace(`${where}: `, ''), { cause })
  }
}

/** @throws CertificateProblem */
function checkOwn({ cert, key, ca }: TLSOptions): void {
  readAuthorities(ca)
  if (cert !== undefined && key !== undefined) checkIdentity(cert, key)
}

function versionsOf({ minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3' }: TLSOptions): [TLSVersion, TLSVersion] {
  return [minVersion, maxVersion]
}

function textOf(data: Data | undefined): string | undefined {
  return data === undefined || typeof data === 'string' ? data : toText(data)
}

function parse(payload: Uint8Array): Message | undefined {
  try {
    return JSON.parse(toText(payload)) as Message
  } catch {
    return undefined
  }
}

function closedBefore(): Error {
  return Object.assign(
    withoutStack(() => new Error('the connection was closed')),
    { code: 'ECONNRESET' },
  )
}
