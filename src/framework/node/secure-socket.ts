/**
 * TLS over a socket that is connected already: the handshake, its time, who the peer is; the same for a connection that
 * begins with TLS and for one that turns to it later.
 *
 * Ancestor: `twisted.protocols.tls.TLSMemoryBIOProtocol`; here Node does the work.
 */
import { isIP, type Socket } from 'node:net'
import {
  connect,
  type ConnectionOptions,
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TlsOptions,
  type TLSSocket,
} from 'node:tls'
import type { Address } from '../core/address.ts'
import type { TLSError } from '../core/errors.ts'
import type { DelayedCall } from '../core/clock.ts'
import type { Reactor } from '../core/reactor.ts'
import {
  handshakeTimeout,
  type PeerCertificate,
  type TLSClientOptions,
  type TLSFacts,
  type TLSOptions,
  type TLSServerOptions,
} from '../core/tls.ts'
import {
  certificateError,
  handshakeCancelled,
  handshakeError,
  handshakeTimedOut,
  serverNameFor,
  warnOfInsecurity,
} from '../core/tls-errors.ts'
import { Deferred } from '../deferred/deferred.ts'
import { handleOf } from './in-handle.ts'
import { resetSocket } from './reset-socket.ts'
import { socketOptions } from './socket-options.ts'

/** A socket whose peer is verified. */
export interface SecureSocket {
  readonly socket: TLSSocket
  /** The one beneath it. */
  readonly raw: Socket
  readonly facts: TLSFacts
  /** The connection is cut when the input ends and this is true: the peer has not said that it ends. */
  readonly wasCut: () => boolean
}

/**
 * Shakes hands as the client.
 *
 * @param raw connected, and nobody else's any more
 * @returns fires in a later turn; fails with TLSError, and then `raw` is destroyed; so it is when this is cancelled
 */
export function secureAsClient(
  reactor: Reactor,
  raw: Socket,
  peer: Address,
  options: TLSClientOptions,
): Deferred<SecureSocket> {
  const { alpn, insecure } = options
  const handshake = new Handshake(reactor, raw, peer, options)
  try {
    const serverName = serverNameFor(peer, options)
    if (insecure !== undefined) warnOfInsecurity(peer, insecure)
    const socket = connect({
      socket: raw,
      secureContext: contextOf(options),
      // An address is no name to ask for (RFC 6066, section 3), but the certificate has to have it.
      host: serverName,
      servername: serverName === undefined || isIP(serverName) !== 0 ? '' : serverName,
      ALPNProtocols: alpn && [...alpn],
      // Always said, so that no variable of the environment says otherwise.
      rejectUnauthorized: insecure === undefined,
      highWaterMark: socketOptions.highWaterMark,
    } as ConnectionOptions)
    socket.on('error', (error) => handshake.failed(error))
    socket.once('secureConnect', () => handshake.done(socket, serverName))
  } catch (error) {
    handshake.fail(certificateError(peer, error as Error))
  }
  return handshake.secured
}

/** The server's side: one for all connections with the same options, which share their sessions. */
export class SecureServer {
  readonly #options: TLSServerOptions
  readonly #server: Server
  readonly #handshakes = new WeakMap<object, Handshake>()

  /** @throws TLSError if the certificate and its key cannot be used */
  constructor(where: Address, options: TLSServerOptions) {
    this.#options = options
    const { alpn, requestCert = false, handshakeTimeout: ms = handshakeTimeout } = options
    try {
      this.#server = createServer({
        ...contextOptions(options),
        ALPNProtocols: alpn && [...alpn],
        requestCert,
        rejectUnauthorized: true,
        // Ours comes first; this one stands behind it.
        handshakeTimeout: ms + 1000,
        highWaterMark: socketOptions.highWaterMark,
      } as TlsOptions)
    } catch (error) {
      throw certificateError(where, error as Error)
    }
    this.#server.on('secureConnection', (socket) => this.#of(socket)?.done(socket))
    this.#server.on('tlsClientError', (error, socket) => {
      // Whoever is not let in has finished his handshake, and Node only says that he has gone.
      const code: unknown = socket.authorizationError
      this.#of(socket)?.failed(
        typeof code === 'string' ? Object.assign(new Error(code, { cause: error }), { code }) : error,
      )
    })
  }

  /** Shakes hands. Like {@link secureAsClient}. */
  secure(reactor: Reactor, raw: Socket, peer: Address): Deferred<SecureSocket> {
    const handshake = new Handshake(reactor, raw, peer, this.#options)
    this.#handshakes.set(raw, handshake)
    this.#server.emit('connection', raw)
    return handshake.secured
  }

  /** Node's server tells only the outer socket; the inner one, Node's own, is whom we gave it. */
  #of(socket: TLSSocket): Handshake | undefined {
    const raw: unknown = Reflect.get(socket, '_parent')
    return typeof raw === 'object' && raw !== null ? this.#handshakes.get(raw) : undefined
  }
}

class Handshake {
  readonly secured: Deferred<SecureSocket>
  readonly #reactor: Reactor
  readonly #raw: Socket
  readonly #peer: Address
  readonly #timer: DelayedCall
  #over = false

  constructor(reactor: Reactor, raw: Socket, peer: Address, options: TLSOptions) {
    this.#reactor = reactor
    this.#raw = raw
    this.#peer = peer
    const ms = options.handshakeTimeout ?? handshakeTimeout
    // A peer that speaks no TLS, and waits for us to speak, would take a plain end for an answer.
    this.#timer = reactor.callLater(ms, () => this.fail(handshakeTimedOut(peer, ms), resetSocket))
    this.secured = new Deferred<SecureSocket>(() => this.fail(handshakeCancelled(peer)))
    // An end in the middle of a handshake is the end of it. What TLS makes of the socket is as it was then.
    raw.allowHalfOpen = false
    raw.on('error', (error) => this.failed(error))
    raw.once('close', () => {
      // Why it was closed is said a little later.
      const error = Object.assign(new Error('the socket was closed'), { code: 'ECONNRESET' })
      reactor.turn.soon(() => this.failed(error))
    })
  }

  failed(error: Error): void {
    this.fail(handshakeError(this.#peer, error))
  }

  done(socket: TLSSocket, serverName?: string): void {
    if (this.#over || this.secured.called) return
    socket.allowHalfOpen = true
    const secure: SecureSocket = {
      socket,
      raw: this.#raw,
      facts: factsOf(socket, serverName),
      wasCut: watchEnd(socket),
    }
    // Before Node 26, what is closed inside this event says no close_notify in TLS 1.3, and looks cut to the peer.
    this.#reactor.turn.soon(() => {
      if (this.#over) return
      this.#over = true
      if (this.#timer.active()) this.#timer.cancel()
      this.secured.callback(secure)
    })
  }

  /** @param end ends the socket */
  fail(error: TLSError, end: (raw: Socket) => void = destroy): void {
    if (this.#over) return
    this.#over = true
    if (this.#timer.active()) this.#timer.cancel()
    // In a later turn: what Node tells the peer about it is to leave first.
    this.#reactor.turn.soon(() => end(this.#raw))
    this.secured.errback(error)
  }
}

function destroy(raw: Socket): void {
  raw.destroy()
}

/**
 * Remembers how the input of `socket` ends: by the peer's close_notify, or by an end of the socket beneath, which anybody
 * between the two can fake. Node calls both `end` (measured: 20, 22, 24, 26); but in the first case the handle beneath,
 * Node's own, is still reading at that moment, and says so when told to.
 */
function watchEnd(socket: TLSSocket): () => boolean {
  let cut = false
  const push = socket.push.bind(socket)
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null) cut ||= endsBeneath(socket)
    return push(chunk, encoding)
  }
  return () => cut
}

function endsBeneath(socket: TLSSocket): boolean {
  const handle = handleOf(socket)
  // A socket that was told to stop reading hears of no end beneath it.
  if (handle === undefined || Reflect.get(handle, 'reading') === false) return false
  const beneath: unknown = Reflect.get(handle, '_parent')
  if (!isObject(beneath) || !('readStart' in beneath) || typeof beneath.readStart !== 'function') return false
  const started = (beneath as { readStart(): number }).readStart() === 0
  if (started && 'readStop' in beneath) (beneath as unknown as { readStop(): void }).readStop()
  return started
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function factsOf(socket: TLSSocket, wanted: string | undefined): TLSFacts {
  const asked: unknown = Reflect.get(socket, 'servername')
  const { alpnProtocol } = socket
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    alpn: typeof alpnProtocol === 'string' ? alpnProtocol : undefined,
    serverName: wanted ?? (typeof asked === 'string' && asked !== '' ? asked : undefined),
    verified: socket.authorized,
    peerCertificate: certificateOf(socket),
  }
}

function certificateOf(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const { raw, subject, issuer, subjectAltName = '', fingerprint256, validFrom, validTo } = certificate
  return {
    der: new Uint8Array(raw.buffer, raw.byteOffset, raw.length),
    subject,
    issuer,
    names: subjectAltName,
    fingerprint: fingerprint256,
    validFrom,
    validTo,
  }
}

/** A context is dear to make (the key is checked against the certificate), and one after the other asks for the same. */
let latest: { readonly options: TLSOptions; readonly context: SecureContext } | undefined

function contextOf(options: TLSOptions): SecureContext {
  const same = (['cert', 'key', 'ca', 'minVersion', 'maxVersion'] as const).every(
    (name) => latest?.options[name] === options[name],
  )
  if (latest === undefined || !same) latest = { options, context: createSecureContext(contextOptions(options)) }
  return latest.context
}

function contextOptions({ cert, key, ca, minVersion, maxVersion }: TLSOptions): SecureContextOptions {
  return {
    cert: pem(cert),
    key: pem(key),
    ca: Array.isArray(ca)
      ? ca.map((one: string | Uint8Array) => pem(one)!)
      : pem(ca as string | Uint8Array | undefined),
    minVersion: minVersion ?? 'TLSv1.2',
    maxVersion: maxVersion ?? 'TLSv1.3',
  }
}

function pem(data: string | Uint8Array | undefined): string | Buffer | undefined {
  return data === undefined || typeof data === 'string' ? data : Buffer.from(data)
}
