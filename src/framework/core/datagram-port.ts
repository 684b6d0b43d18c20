/**
 * A port for datagrams over any medium: who may be written to, the limits, what is told of losses, and the end, once for
 * every transport.
 *
 * A medium (a socket, a simulated network) is a subclass. Ancestor: `twisted.internet.udp.Port`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { trace } from '../trace/hook.ts'
import { type IPAddress, ipAddress } from './address.ts'
import { type Data, toBytes } from './bytes.ts'
import type { DatagramProtocol } from './datagram-protocol.ts'
import type { DatagramOptions, DatagramTransport } from './datagram-transport.ts'
import { DatagramLost, InvalidAddressError, MessageLengthError, SendQueueOverflow } from './errors.ts'
import { guarded, type HookOwner } from './guard.ts'
import type { Hook } from './protocol.ts'
import type { Reactor } from './reactor.ts'

/** What one UDP header can announce, less the headers. Bytes. */
const most = { IPv4: 65_507, IPv6: 65_527 } as const
/** Between two reports of the same kind at least so many milliseconds: anybody can cause them. */
const reportEvery = 1000

/** @throws RangeError for a limit that is no number of bytes */
export function checkDatagramOptions({ maxPacketSize, maxSendQueue }: DatagramOptions): void {
  for (const [name, limit] of Object.entries({ maxPacketSize, maxSendQueue })) {
    if (limit === undefined || (Number.isInteger(limit) && limit > 0) || limit === Infinity) continue
    throw new RangeError(`${name} is a whole number of bytes from 1 up, not ${limit}`)
  }
}

/** Protocols that have a port now. */
const busy = new WeakSet<DatagramProtocol>()

/** What was lost in this turn, or since the last report. */
interface Losses {
  first: DatagramLost | undefined
  count: number
}

export abstract class DatagramPort implements DatagramTransport, HookOwner {
  readonly host: IPAddress
  protected readonly reactor: Reactor
  readonly #maxPacketSize: number
  readonly #maxSendQueue: number
  #protocol: DatagramProtocol | undefined
  #peer: IPAddress | undefined
  /** The only one that is heard. */
  #heard: IPAddress | undefined

  #stopping = false
  #closed = false
  readonly #afterStop: (() => void)[] = []
  readonly #stopped: Deferred<void>[] = []

  #refused = false
  readonly #lost: Losses = { first: undefined, count: 0 }
  #tells = false
  readonly #unreported: Losses = { first: undefined, count: 0 }
  #reportedAt = -Infinity
  #tooLong = 0
  #tooLongAt = -Infinity

  /** @throws RangeError for a limit that is no number of bytes */
  constructor(reactor: Reactor, host: IPAddress, options: DatagramOptions) {
    checkDatagramOptions(options)
    const { maxPacketSize = Infinity, maxSendQueue = 1024 * 1024 } = options
    this.reactor = reactor
    this.host = host
    this.#maxPacketSize = Math.min(maxPacketSize, most[host.kind])
    this.#maxSendQueue = maxSendQueue
    trace?.at('listen', this, { addr: String(host), p: reactor })
  }

  /* ---------------------------------------------------------------- what a medium does */

  abstract readonly queued: number
  /** Hand one datagram on, to the one that the port is connected to unless `to` is given. {@link lost} if it cannot be. */
  protected abstract send(datagram: Uint8Array, to: IPAddress | undefined): void
  /**
   * From now on send to, and hear, this one only. What is sent before it has fired is in order.
   *
   * @returns the address as {@link received} will write it; fails with a ConnectError
   */
  protected abstract connectTo(peer: IPAddress): Deferred<IPAddress>
  /** Close, then call {@link closed}, in a later event. */
  protected abstract close(): void

  /* ---------------------------------------------------------------- what a medium says */

  /** A datagram; nobody else will use its memory. */
  protected received(datagram: Uint8Array, from: IPAddress): void {
    const protocol = this.#protocol
    if (protocol === undefined || this.#stopping) return
    // One that came before we were connected, from somebody else.
    if (this.#heard !== undefined && !from.equals(this.#heard)) return
    if (datagram.length > this.#maxPacketSize) {
      this.#dropTooLong(datagram.length, from)
      return
    }
    trace?.at('dgram.recv', this, { from: String(from), n: datagram.length, data: datagram })
    this.#guard('datagramReceived', () => protocol.datagramReceived(datagram, from))
  }

  /** Nobody listens at the address that we are connected to. */
  protected refused(reason: DatagramLost): void {
    if (this.#protocol?.connectionRefused === undefined) {
      this.lost(reason)
      return
    }
    trace?.at('dgram.lost', this, { reason: reason.message })
    this.#refused = true
    this.#tellSoon()
  }

  /** A datagram could not be sent, or did not arrive. */
  protected lost(reason: DatagramLost): void {
    if (this.#stopping) return
    trace?.at('dgram.lost', this, { reason: reason.message })
    add(this.#lost, reason, 1)
    this.#tellSoon()
  }

  /** The port is free. */
  protected closed(): void {
    if (this.#closed) return
    this.#closed = true
    trace?.at('unlisten', this)
    const protocol = this.#protocol
    if (protocol !== undefined) {
      busy.delete(protocol)
      this.#guard('stopProtocol', () => protocol.stopProtocol())
    }
    for (const f of this.#afterStop) f()
    for (const stopped of this.#stopped) stopped.callback()
  }

  /* ---------------------------------------------------------------- for whoever opened it */

  /**
   * Makes `protocol` the one that is told what arrives, and calls its `makeConnection`. What has arrived before is gone.
   *
   * @throws what `makeConnection` threw, and Error for a protocol that has a port or a port that has stopped; the
   *   protocol gets no `stopProtocol` then
   */
  deliverTo(protocol: DatagramProtocol): void {
    if (this.#protocol !== undefined) throw new Error(`${this.host}: this port has its protocol already`)
    if (this.#stopping) throw new Error(`${this.host}: this port has stopped`)
    if (busy.has(protocol)) {
      throw new Error(`${this.host}: this ${protocol.constructor.name} has a port already (make one for each port)`)
    }
    this.#protocol = protocol
    busy.add(protocol)
    let thrown: { error: unknown } | undefined
    this.#guard('startProtocol', () => {
      try {
        return protocol.makeConnection(this)
      } catch (error) {
        thrown = { error }
      }
    })
    if (thrown === undefined) return
    this.#protocol = undefined
    busy.delete(protocol)
    throw thrown.error
  }

  /** Calls `f` once, when the port is closed. */
  atStop(f: () => void): void {
    this.#afterStop.push(f)
  }

  /* ---------------------------------------------------------------- DatagramTransport */

  /** Whether it is closed, or about to be. */
  get stopped(): boolean {
    return this.#stopping
  }

  get peer(): IPAddress | undefined {
    return this.#peer
  }

  write(data: Data, to?: IPAddress): void {
    if (this.#stopping) return
    const datagram = toBytes(data)
    const peer = this.#destination(to)
    if (datagram.length > this.#maxPacketSize) throw new MessageLengthError(peer, datagram.length, this.#maxPacketSize)
    const waiting = this.queued
    if (peer.port === 0) {
      // Whoever answers every datagram answers one that pretends to come from there, too.
      this.lost(new DatagramLost(peer, 'nobody can listen at port 0'))
    } else if (waiting > 0 && waiting + datagram.length > this.#maxSendQueue) {
      const cause = new SendQueueOverflow(peer, waiting + datagram.length, this.#maxSendQueue, 'send less at a time')
      this.lost(new DatagramLost(peer, 'too much waits to be sent already', { cause }))
    } else {
      trace?.at('dgram.send', this, { to: String(peer), n: datagram.length, data: datagram })
      this.send(datagram, this.#peer === undefined ? peer : undefined)
    }
  }

  connect(host: string, port: number): Deferred<void> {
    const peer = ipAddress(host, port, 'UDP')
    if (peer === undefined) {
      throw new InvalidAddressError(
        host,
        'a datagram port connects to an IP address (reactor.resolve turns a name into one)',
      )
    }
    this.#checkKind(peer)
    if (port === 0) throw new RangeError('a port to connect to is a whole number from 1 to 65535, not 0')
    if (this.#peer !== undefined) throw new Error(`${this.host}: this port is connected to ${this.#peer} already`)
    if (this.#stopping) throw new Error(`${this.host}: this port has stopped`)
    this.#peer = peer
    return this.connectTo(peer).addCallbacks(
      (heard) => {
        this.#heard = heard
      },
      (failure) => {
        this.#peer = undefined
        return failure
      },
    )
  }

  stopListening(): Deferred<void> {
    const stopped = new Deferred<void>()
    if (this.#closed) stopped.callback()
    else this.#stopped.push(stopped)
    if (!this.#stopping) {
      this.#stopping = true
      this.close()
    }
    return stopped
  }

  #destination(to: IPAddress | undefined): IPAddress {
    const peer = this.#peer
    if (to === undefined) {
      if (peer !== undefined) return peer
      throw new InvalidAddressError(this.host, 'whom is this datagram for? (say `to`, or connect the port)')
    }
    this.#checkKind(to)
    if (peer === undefined || (to.host === peer.host && to.port === peer.port)) return to
    throw new InvalidAddressError(to, `this port is connected to ${peer}, and sends to nobody else`)
  }

  #checkKind(to: IPAddress): void {
    if (to.kind === this.host.kind) return
    throw new InvalidAddressError(to, `a port at ${this.host} sends to ${this.host.kind} addresses only`)
  }

  /* ---------------------------------------------------------------- losses */

  #dropTooLong(length: number, from: IPAddress): void {
    this.#tooLong++
    const now = this.reactor.now()
    if (now - this.#tooLongAt < reportEvery) return
    this.#tooLongAt = now
    const error = new MessageLengthError(from, length, this.#maxPacketSize)
    report({ error, what: `Dropped ${many(this.#tooLong)} that came to ${this.host}`, subject: this })
    this.#tooLong = 0
  }

  /** Not inside of a write: who writes again at once would never come to an end. */
  #tellSoon(): void {
    if (this.#tells) return
    this.#tells = true
    this.reactor.turn.soon(() => this.#tell())
  }

  #tell(): void {
    const refused = this.#refused
    const { first, count } = this.#lost
    this.#tells = this.#refused = false
    clear(this.#lost)
    const protocol = this.#protocol
    if (this.#stopping) return
    if (refused) this.#guard('connectionRefused', () => protocol?.connectionRefused?.())
    if (first === undefined || this.#stopping) return
    if (protocol?.datagramLost === undefined) this.#report(first, count)
    else this.#guard('datagramLost', () => protocol.datagramLost?.(first, count))
  }

  #report(first: DatagramLost, count: number): void {
    add(this.#unreported, first, count)
    const now = this.reactor.now()
    if (now - this.#reportedAt < reportEvery) return
    this.#reportedAt = now
    const { first: error, count: all } = this.#unreported
    clear(this.#unreported)
    report({ error, what: `Lost ${many(all)} of ${this.host} (datagramLost would be told)`, subject: this })
  }

  /* ---------------------------------------------------------------- calls into user code */

  #guard(what: string, hook: () => Hook): void {
    guarded(this.reactor.turn, this, what, hook, this)
  }

  /** A hook failed: it is reported, and the port stays. */
  hookFailed(error: unknown, what: string): void {
    const protocol = this.#protocol
    report({ error, what: `${what} of ${protocol?.constructor.name} failed`, subject: protocol ?? this })
  }
}

function add(losses: Losses, first: DatagramLost, count: number): void {
  losses.first ??= first
  losses.count += count
}

function clear(losses: Losses): void {
  losses.first = undefined
  losses.count = 0
}

function many(count: number): string {
  return count === 1 ? '1 datagram' : `${count} datagrams`
}
