/**
 * From a host name to a connection: look up the addresses, then try one after another, within one budget of time.
 *
 * The plain way, for `connectTCP` and the `tcp:` endpoint; racing the addresses is the hostname endpoint's business.
 */
import type { Deferred } from '../deferred/deferred.ts'
import { CancelledError, TimeoutError } from '../deferred/errors.ts'
import { execute } from '../deferred/wrapping.ts'
import type { IPAddress } from './address.ts'
import { ConnectingCancelledError, DNSLookupError, TCPTimedOutError } from './errors.ts'
import type { DialOptions, Reactor } from './reactor.ts'
import type { Connection } from './transport.ts'

/** Milliseconds that an attempt to connect may take unless told otherwise, looking up the name included. */
export const connectTimeout = 30_000

/**
 * Connects to the first of the host's addresses that answers.
 *
 * @param port 1 to 65,535
 * @param options `timeout` is for all attempts together
 * @returns fails with DNSLookupError, or with what the last attempt failed with, or, if cancelled, with
 *   ConnectingCancelledError, or with RangeError for a port that is none or a timeout that is no time
 */
export function dialHost(
  reactor: Reactor,
  host: string,
  port: number,
  options: DialOptions = {},
): Deferred<Connection> {
  const { timeout = connectTimeout } = options
  // The certificate has to name whom we asked for, not the address that a name server made of it.
  const tls = options.tls && { ...options.tls, serverName: options.tls.serverName ?? host }
  const deadline = reactor.now() + timeout

  const lookUp = (): Deferred<readonly IPAddress[]> => {
    checkedRemotePort(port)
    if (!(timeout > 0 && timeout < Infinity))
      throw new RangeError(`a timeout is a number of milliseconds above 0, not ${timeout}`)
    return reactor
      .resolve(host)
      .addTimeout(timeout, reactor)
      .addErrback(({ value }) => {
        if (!(value instanceof TimeoutError)) throw value
        throw new DNSLookupError(host, `no answer within ${timeout} ms`, { cause: value })
      })
  }

  const tryFrom = (addresses: readonly IPAddress[], index: number): Deferred<Connection> => {
    const address = addresses[index]
    if (address === undefined) throw new DNSLookupError(host, 'the name has no address')
    const left = deadline - reactor.now()
    if (left <= 0) throw new TCPTimedOutError(address.withPort(port), timeout)
    return reactor.dial(address.withPort(port), { ...options, tls, timeout: left }).addErrback((failure) => {
      const { value } = failure
      const cancelled = value instanceof ConnectingCancelledError || value instanceof CancelledError
      return cancelled || index + 1 === addresses.length ? failure : tryFrom(addresses, index + 1)
    })
  }

  return execute(lookUp)
    .addCallback((addresses) => tryFrom(addresses, 0))
    .addErrback((failure) => {
      const { value } = failure
      if (value instanceof CancelledError) throw new ConnectingCancelledError(`${host}:${port}`, { cause: value })
      return failure
    })
}

/** @throws RangeError if `port` is not one that can be connected to */
export function checkedRemotePort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new RangeError(`a port to connect to is a whole number from 1 to 65535, not ${port}`)
}
