/**
 * Makes one connection to one address, by TCP or in the file system, with TLS or without, within its time; or says in our
 * own words why not.
 *
 * Names, several addresses and racing them are other rooms' business. Ancestors: `twisted.internet.tcp.BaseClient`,
 * `twisted.internet.unix.Client`.
 */
import { connect, type Socket } from 'node:net'
import type { IPAddress, UNIXAddress } from '../core/address.ts'
import { connectTimeout } from '../core/dial-host.ts'
import { type ConnectError, attemptCancelled, TCPTimedOutError } from '../core/errors.ts'
import type { DialOptions, Reactor } from '../core/reactor.ts'
import type { TLSClientOptions } from '../core/tls.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { trace } from '../trace/hook.ts'
import { secureAsClient, type SecureSocket } from './secure-socket.ts'
import { socketOptions } from './socket-options.ts'
import { connectError } from './system-errors.ts'

/**
 * @param open makes the Connection of a socket that can be used
 * @returns fires in a later turn; fails with a ConnectError, at once only if it is cancelled
 */
export function dialSocket(
  reactor: Reactor,
  address: IPAddress | UNIXAddress,
  { timeout = connectTimeout, bindAddress, tls }: DialOptions,
  open: (socket: Socket | SecureSocket, raw: Socket) => Connection,
): Deferred<Connection> {
  const dialed = new Deferred<Connection>((_, reason) => {
    fail(attemptCancelled(address, reason))
  })
  const socket = connect({ ...socketOptions, ...whereTo(address), ...whereFrom(bindAddress) })
  const timer = reactor.callLater(timeout, () => fail(new TCPTimedOutError(address, timeout)))
  const onError = (error: Error): void => fail(connectError(address, error))
  const onConnect = (): void => {
    socket.off('error', onError)
    if (tls === undefined) succeed(socket)
    else secure(tls)
  }
  socket.on('error', onError)
  socket.once('connect', onConnect)
  return dialed

  function secure(options: TLSClientOptions): void {
    secureAsClient(reactor, socket, address, options).addCallbacks(
      (secured) => (dialed.called ? undefined : succeed(secured)),
      ({ value }) => (dialed.called ? undefined : fail(value as ConnectError)),
    )
  }

  function succeed(ready: Socket | SecureSocket): void {
    timer.cancel()
    const connection = open(ready, socket)
    reactor.turn.enter()
    dialed.callback(connection)
    reactor.turn.leave()
  }

  function fail(error: ConnectError): void {
    if (timer.active()) timer.cancel()
    socket.off('connect', onConnect)
    // Whatever it still says, the attempt has ended.
    socket.off('error', onError).on('error', () => {})
    socket.destroy()
    trace?.at('conn.fail', dialed, { addr: String(address), reason: error.name, p: reactor })
    dialed.errback(error)
  }
}

type Target = { host: string; port: number; family: 4 | 6 } | { path: string }

function whereTo(address: IPAddress | UNIXAddress): Target {
  if (address.kind === 'UNIX') return { path: address.path }
  return { host: address.host, port: address.port, family: address.kind === 'IPv4' ? 4 : 6 }
}

function whereFrom(address: IPAddress | undefined): { localAddress?: string; localPort?: number } {
  if (address === undefined) return {}
  return address.port === 0 ? { localAddress: address.host } : { localAddress: address.host, localPort: address.port }
}
