/**
 * An attempt to connect in the simulated world: there with the question, back with the answer.
 *
 * As in TCP the client is connected after one round trip, and the server accepts half a round trip later, before
 * anything that the client sends. Ancestor: `twisted.internet.tcp.Client`.
 */
import type { IPAddress } from '../core/address.ts'
import {
  ConnectBindError,
  type ConnectError,
  ConnectingCancelledError,
  ConnectionRefusedError,
  NoRouteError,
  TCPTimedOutError,
} from '../core/errors.ts'
import { connectTimeout } from '../core/dial-host.ts'
import type { DialOptions } from '../core/reactor.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { CancelledError } from '../deferred/errors.ts'
import { trace } from '../trace/hook.ts'
import { SimConnection } from './sim-connection.ts'
import type { SimHost } from './sim-host.ts'
import { SimEvent, type Timeline } from './timeline.ts'
import type { World } from './world.ts'

/** Does what `reactor.dial` promises. */
export function dialTCP(
  world: World,
  timeline: Timeline,
  from: SimHost,
  address: IPAddress,
  options: DialOptions,
): Deferred<Connection> {
  const { reactor } = from
  const { timeout = connectTimeout } = options
  let client: SimConnection | undefined
  let over = false

  const result = new Deferred<Connection>((_result, reason) => {
    const cause = new CancelledError(undefined, reason === undefined ? {} : { cause: reason })
    fail(new ConnectingCancelledError(address, { cause }))
  })
  const deadline = reactor.callLater(timeout, () => fail(new TCPTimedOutError(address, timeout)))

  const settle = (): void => {
    over = true
    if (deadline.active()) deadline.cancel()
  }
  const fail = (error: ConnectError): void => {
    if (over) return
    settle()
    client?.abortConnection()
    trace?.at('conn.fail', result, { addr: String(address), reason: error.name, p: reactor })
    result.errback(error)
  }
  const later = (at: SimHost, delay: number, f: () => void): void =>
    timeline.schedule(new SimEvent(at.reactor.turn, f), delay)

  const connect = (to: SimHost, local: IPAddress): void => {
    const there = world.pipe(from, to)
    const back = world.pipe(to, from)
    later(to, there.latency, () => {
      const port = over ? undefined : to.listenerAt(address)
      if (port === undefined) {
        from.release(local.port)
        later(from, back.latency, () => fail(new ConnectionRefusedError(address)))
        return
      }
      const ended = (): void => from.release(local.port)
      const near = new SimConnection(timeline, reactor, local, address, { limits: options, ended })
      const far: SimConnection = new SimConnection(timeline, to.reactor, address, local, {
        limits: port.options,
        ended: () => port.left(far),
      })
      SimConnection.join(near, far, there, back)
      client = near
      later(from, back.latency, () => {
        if (over) return
        settle()
        result.callback(near)
      })
      later(to, back.latency + there.latency, () => port.accept(far))
    })
  }

  try {
    const local = localAddress(from, address, options.bindAddress)
    const to = world.hostAt(address, from)
    if (to === undefined) throw new NoRouteError(address)
    from.hold(local.port)
    connect(to, local)
  } catch (error) {
    later(from, 0, () => fail(error as ConnectError))
  }
  return result
}

/** @throws NoRouteError, ConnectBindError */
function localAddress(from: SimHost, to: IPAddress, wanted: IPAddress | undefined): IPAddress {
  const source = from.sourceFor(to)
  if (source === undefined) throw new NoRouteError(to)
  if (wanted !== undefined && !from.has(wanted)) {
    throw new ConnectBindError(to, `cannot start from ${wanted}: it is not an address of ${from.name}`)
  }
  if (wanted !== undefined && wanted.port !== 0 && from.holds(wanted.port)) {
    throw new ConnectBindError(to, `cannot start from ${wanted}: address already in use`)
  }
  const port = wanted === undefined || wanted.port === 0 ? from.freePort() : wanted.port
  if (port === undefined) throw new ConnectBindError(to, `${from.name} has no free port left to start from`)
  return (wanted ?? source).withPort(port)
}
