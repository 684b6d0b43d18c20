/**
 * Why a policy refused a connection, or ended it.
 *
 * What refuses is a NoProtocol: `connect()` fails with it, a server does not report it, and it is the cause of the
 * connection's end. What ends a connection that has its protocol is the `cause` of `connectionLost(reason)`. No ancestor:
 * Twisted's policies close without a word.
 */
import type { Address } from '../core/address.ts'
import { NoProtocol, RemoteProtocolError } from '../core/errors.ts'

/** A limit on how many connections are open at once was reached; this one is too many. */
export class TooManyConnections extends NoProtocol {
  static {
    this.prototype.name = 'TooManyConnections'
  }
  override readonly code: string = 'ERR_TOO_MANY_CONNECTIONS'
  /** How many there would have been. */
  readonly offered: number
  /** How many there may be. */
  readonly limit: number

  /** @param whose for people: `in all`, `from 10.0.0.0/24` */
  constructor(peer: Address, offered: number, limit: number, whose: string) {
    super(peer, `this would be connection ${offered} ${whose}, the limit is ${limit} at once (try again later)`)
    this.offered = offered
    this.limit = limit
  }
}

/** Cause only: nothing went either way for too long. */
export class IdleTimeout extends Error {
  static {
    this.prototype.name = 'IdleTimeout'
  }
  readonly code: string = 'ERR_IDLE_TIMEOUT'
  /** How long nothing had happened, in milliseconds. */
  readonly offered: number
  /** How long nothing may happen, in milliseconds. */
  readonly limit: number

  constructor(peer: Address, offered: number, limit: number) {
    super(`${peer}: nothing was sent or received for ${Math.round(offered)} ms, the limit is ${limit}`)
    this.offered = offered
    this.limit = limit
  }
}

/** Cause only: the connection was open for as long as it may be. */
export class TotalTimeout extends Error {
  static {
    this.prototype.name = 'TotalTimeout'
  }
  readonly code: string = 'ERR_TOTAL_TIMEOUT'
  /** How long a connection may be open, in milliseconds. */
  readonly limit: number

  constructor(peer: Address, limit: number) {
    super(`${peer}: the connection was open for ${limit} ms, which is as long as it may be`)
    this.limit = limit
  }
}

/** The peer is not one of those that may tell us other addresses by the PROXY protocol. */
export class UntrustedProxy extends NoProtocol {
  static {
    this.prototype.name = 'UntrustedProxy'
  }
  override readonly code: string = 'ERR_UNTRUSTED_PROXY'

  constructor(peer: Address, what = 'connected') {
    super(peer, `${what}, but is not one of the trusted proxies (is it missing in \`trusted\`?)`)
  }
}

/**
 * The connection ended, or time was over, before a whole PROXY header had arrived: a scan, a health check that only
 * connects, or a client that came past the proxy. Where it broke off in the middle, `cause` says how.
 */
export class NoProxyHeader extends NoProtocol {
  static {
    this.prototype.name = 'NoProxyHeader'
  }
  override readonly code: string = 'ERR_NO_PROXY_HEADER'
}

/** What a trusted proxy sent is not a PROXY header, or a broken one. */
export class BadProxyHeader extends RemoteProtocolError {
  static {
    this.prototype.name = 'BadProxyHeader'
  }
  override readonly code: string = 'ERR_BAD_PROXY_HEADER'
}
