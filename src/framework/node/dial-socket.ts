/**
 * Makes one TCP connection to one address, within its time, or says in our own words why not.
 *
 * Names, several addresses and racing them are other rooms' business. Ancestor: `twisted.internet.tcp.BaseClient`.
 */
import { connect, type Socket } from 'node:net'
import type { IPAddress } from '../core/address.ts'
import { connectTimeout } from '../core/dial-host.ts'
import { type ConnectError, ConnectingCancelledError, TCPTimedOutError } from '../core/errors.ts'
import type { DialOptions, Reactor } from '../core/reactor.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { CancelledError } from '../deferred/errors.ts'
import { trace } from '../trace/hook.ts'
import { socketOptions } from './socket-options.ts'
import { connectError } from './system-errors.ts'

/**
 * @param open makes the Connection of a socket that is connected
 * @returns fires in a later turn; fails with a ConnectError, at once only if it is cancelled
 */
export function dialSocket(
  reactor: Reactor,
  address: IPAddress,
  { timeout = connectTimeout, bindAddress }: DialOptions,
  open: (socket: Socket) => Connection,
): Deferred<Connection> {
  const dialed = new Deferred<Connection>((_, reason) => {
    const cause = new CancelledError(undefined, reason === undefined ? {} : { cause: reason })
    fail(new ConnectingCancelledError(address, { cause }))
  })
  const socket = connect({ ...socketOptions, ...whereTo(address), ...whereFrom(bindAddress) })
  const timer = reactor.callLater(timeout, () => fail(new TCPTimedOutError(address, timeout)))
  const onError = (error: Error): void => fail(connectError(address, error))
  socket.on('error', onError)
  socket.once('connect', succeed)
  return dialed

  function succeed(): void {
    timer.cancel()
    socket.off('error', onError)
    const connection = open(socket)
    trace?.at('conn.open', connection, { addr: String(address), p: reactor })
    reactor.turn.enter()
    dialed.callback(connection)
    reactor.turn.leave()
  }

  function fail(error: ConnectError): void {
    if (timer.active()) timer.cancel()
    socket.off('connect', succeed)
    // Whatever it still says, the attempt has ended.
    socket.off('error', onError).on('error', () => {})
    socket.destroy()
    trace?.at('conn.fail', dialed, { addr: String(address), reason: error.name, p: reactor })
    dialed.errback(error)
  }
}

function whereTo({ host, port, kind }: IPAddress): { host: string; port: number; family: 4 | 6 } {
  return { host, port, family: kind === 'IPv4' ? 4 : 6 }
}

function whereFrom(address: IPAddress | undefined): { localAddress?: string; localPort?: number } {
  if (address === undefined) return {}
  return address.port === 0 ? { localAddress: address.host } : { localAddress: address.host, localPort: address.port }
}
