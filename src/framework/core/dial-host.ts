/**
 * From a host name to a connection: look up its addresses, then try them, within one budget of time.
 *
 * One after another for `connectTCP` and TCPClientEndpoint; racing each other for HostnameEndpoint (RFC 8305, "happy
 * eyeballs"). Ancestor: `twisted.internet.endpoints.HostnameEndpoint`.
 */
import type { Deferred } from '../deferred/deferred.ts'
import { CancelledError, TimeoutError } from '../deferred/errors.ts'
import { execute } from '../deferred/wrapping.ts'
import type { IPAddress } from './address.ts'
import { Attempts } from './attempts.ts'
import { ConnectBindError, ConnectingCancelledError, DNSLookupError } from './errors.ts'
import type { DialOptions, Reactor } from './reactor.ts'
import type { Connection } from './transport.ts'

/** Milliseconds that an attempt to connect may take unless told otherwise, looking up the name included. */
export const connectTimeout = 30_000

/** How {@link dialHost} goes through the addresses. */
export interface DialHostOptions extends DialOptions {
  /** Milliseconds that all of it may take, looking up the name included. 30,000 unless given. */
  readonly timeout?: number | undefined
  /** Milliseconds that one address may take. What is left of `timeout` unless given. */
  readonly attemptTimeout?: number | undefined
  /**
   * Milliseconds after which the next address is tried while the ones before go on. Unless given, the next is tried when
   * the one before it has failed.
   */
  readonly attemptDelay?: number | undefined
  /** The address to try first, if the name still has it. */
  readonly prefer?: IPAddress | undefined
}

/**
 * Connects to the first of the host's addresses that answers.
 *
 * @param port 1 to 65,535
 * @returns fails with DNSLookupError; with what the attempt failed with, or AllAttemptsFailed if there were several; if
 *   cancelled, with ConnectingCancelledError; or with RangeError for a port that is none or a time that is none
 */
export function dialHost(
  reactor: Reactor,
  host: string,
  port: number,
  options: DialHostOptions = {},
): Deferred<Connection> {
  const { timeout = connectTimeout, attemptTimeout, attemptDelay, prefer, ...rest } = options
  // The certificate has to name whom we asked for, not the address that a name server made of it.
  const tls = rest.tls && { ...rest.tls, serverName: rest.tls.serverName ?? host }
  const deadline = reactor.now() + timeout

  const lookUp = (): Deferred<readonly IPAddress[]> => {
    checkedRemotePort(port)
    for (const time of [timeout, attemptTimeout, attemptDelay]) checkTime(time)
    return reactor
      .resolve(host)
      .addTimeout(timeout, reactor)
      .addErrback(({ value }) => {
        if (!(value instanceof TimeoutError)) throw value
        throw new DNSLookupError(host, `no answer within ${timeout} ms`, { cause: value })
      })
  }

  return execute(lookUp)
    .addCallback((found) => {
      const addresses = inOrder(usable(host, found, rest.bindAddress), prefer)
      const attempts = new Attempts(reactor, `${host}:${port}`, {
        addresses: addresses.map((address) => address.withPort(port)),
        dialOptions: { ...rest, tls },
        deadline,
        attemptTimeout: attemptTimeout ?? timeout,
        attemptDelay,
      })
      return attempts.first
    })
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

function checkTime(ms: number | undefined): void {
  if (ms === undefined || (ms > 0 && ms < Infinity)) return
  throw new RangeError(`a timeout or a delay is a number of milliseconds above 0, not ${ms}`)
}

/** Those that can be reached from where we are to start. */
function usable(host: string, found: readonly IPAddress[], from: IPAddress | undefined): readonly IPAddress[] {
  if (found.length === 0) throw new DNSLookupError(host, 'the name has no address')
  if (from === undefined) return found
  const same = found.filter(({ kind }) => kind === from.kind)
  if (same.length > 0) return same
  throw new ConnectBindError(host, `the name has no ${from.kind} address, but ${from.host}, to start from, is one`)
}

/**
 * The resolver's order, but the two families take turns, so that a whole family that does not work costs one attempt
 * (RFC 8305, section 4); and what worked before comes first.
 */
function inOrder(found: readonly IPAddress[], prefer: IPAddress | undefined): readonly IPAddress[] {
  const liked = found.filter(({ host }) => host === prefer?.host)
  const others = found.filter(({ host }) => host !== prefer?.host)
  const [first = others[0]] = liked
  const same = others.filter(({ kind }) => kind === first?.kind)
  const different = others.filter(({ kind }) => kind !== first?.kind)
  const turns = liked.length > 0 ? [different, same] : [same, different]
  const longer = Math.max(same.length, different.length)
  const mixed = Array.from({ length: longer }, (_, index) => turns.flatMap((family) => family[index] ?? []))
  return [...liked, ...mixed.flat()]
}
