/**
 * A datagram transport sends datagrams, each on its own way: it may arrive, or not, or twice, or before an earlier one.
 *
 * Ancestor: `IUDPTransport` of `twisted.internet.interfaces`; the same over sockets and over a simulated network.
 */
import type { Deferred } from '../deferred/deferred.ts'
import type { IPAddress } from './address.ts'
import type { Data } from './bytes.ts'

/** How {@link Reactor.bind} opens a port for datagrams. Each of these has a default. */
export interface DatagramOptions {
  /**
   * The longest datagram that is sent or delivered, in bytes. What UDP can carry unless given: 65,507 over IPv4, 65,527
   * over IPv6. A longer one that arrives is dropped whole, and reported; none is ever cut.
   */
  readonly maxPacketSize?: number | undefined
  /** Bytes that may wait for the operating system to take them; what is written beyond is lost. 1 MiB unless given. */
  readonly maxSendQueue?: number | undefined
  /** May write to everybody in a network at once. Not unless given. */
  readonly broadcastAllowed?: boolean | undefined
  /** Share the port with others that say the same, as other processes do: the system spreads what arrives over them. */
  readonly reusePort?: boolean | undefined
}

/** An open port, as its DatagramProtocol sees it. */
export interface DatagramTransport {
  /** Where it listens; with port 0 asked for, the port that it got. */
  readonly host: IPAddress
  /** Whom it is connected to, if it is. */
  readonly peer: IPAddress | undefined
  /** Bytes written that the operating system has not taken yet; nearly always 0. Who sends much looks here. */
  readonly queued: number

  /**
   * Sends one datagram, now: nothing is gathered. After {@link stopListening} it does nothing.
   *
   * @param data may be empty; do not change it afterwards
   * @param to whom to, an address of the port's own kind (IPv4 or IPv6); its `type` does not matter. Left out if the port
   *   is connected
   * @throws MessageLengthError if it is longer than `maxPacketSize`; InvalidAddressError for an address of the other
   *   kind, for none, and, on a port that is connected, for another one; nothing is sent then
   */
  write(data: Data, to?: IPAddress): void

  /**
   * From now on sends to one address only and hears that one only; and, what UDP tells nobody else, when nobody listens
   * there (`connectionRefused`). It takes effect at once, and once for all.
   *
   * @param host an IP address of the port's own kind, as text
   * @param port 1 to 65,535
   * @returns fires in a later turn, or fails with a ConnectError
   * @throws InvalidAddressError for a name or an address of the other kind, RangeError for another port, Error if the
   *   port is connected already or has stopped
   */
  connect(host: string, port: number): Deferred<void>

  /**
   * Closes the port: nothing is delivered any more, and what the system has not taken yet is lost.
   *
   * @returns fires when the port is free again and `stopProtocol` has returned. Calling it again waits for the same end
   */
  stopListening(): Deferred<void>
}
