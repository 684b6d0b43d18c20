/**
 * A datagram protocol is told of each datagram that arrives at its port: whole, with its sender, or not at all. You
 * subclass it.
 *
 * Grammar of calls: `makeConnection startProtocol (datagramReceived | connectionRefused | datagramLost)* stopProtocol`.
 * Ancestor: `twisted.internet.protocol.DatagramProtocol`.
 */
import type { IPAddress } from './address.ts'
import type { DatagramTransport } from './datagram-transport.ts'
import type { DatagramLost } from './errors.ts'
import type { Hook } from './protocol.ts'

/**
 * What a hook throws, or what the promise that it returned fails with, is reported, and the port stays open: there is no
 * connection that could be aborted, and the next datagram is somebody else's.
 */
export abstract class DatagramProtocol {
  /** The port, from {@link startProtocol} on and for ever. Write to it; after the end that does nothing. */
  transport!: DatagramTransport

  /** Called first of all. Sets {@link transport}, then calls {@link startProtocol}. */
  makeConnection(transport: DatagramTransport): Hook {
    this.transport = transport
    return this.startProtocol()
  }

  /** Called once for each port, when it can be used; what it throws fails the opening of the port. */
  startProtocol(): Hook {}

  /**
   * A datagram arrived, as it was sent; an empty one is one too.
   *
   * @param _datagram 0 bytes or more; yours to keep
   * @param _from who says that it is the sender: anybody can write any address there. An answer that is longer than the
   *   question makes a weapon of you
   */
  datagramReceived(_datagram: Uint8Array, _from: IPAddress): Hook {}

  /**
   * Called once, last of all, never from inside `stopListening`; nothing is called after it. The protocol may then be
   * given another port.
   */
  stopProtocol(): Hook {}

  /* What a datagram protocol may do besides: the port looks whether the method is there. */

  /**
   * Nobody listens at the address that the port is connected to, for one of the datagrams at least. It may be different
   * the next time. Without this method {@link datagramLost} is called.
   */
  connectionRefused?(): Hook

  /**
   * The system says that a datagram could not be sent, or that it did not arrive. Of most that are lost nobody knows.
   * Called in a later turn, once for all of a turn. Without this method it is reported, once a second at most.
   *
   * @param reason why the first of them was lost
   * @param count how many they are
   */
  datagramLost?(reason: DatagramLost, count: number): Hook
}
