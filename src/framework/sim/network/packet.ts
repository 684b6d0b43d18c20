/**
 * What is on a simulated wire, and the rules that a test may lay down for it.
 *
 * No ancestor; the idea is that of netfilter, and of the rules in tokio's turmoil.
 */

/** What travels. */
export interface Packet {
  /**
   * The first two are the handshake, there and back. An acknowledgement is a packet only where packets may get lost. The
   * last two are UDP: a datagram, and the news that nobody listens where it went.
   */
  readonly kind: 'connect' | 'accept' | 'data' | 'end' | 'reset' | 'acknowledgement' | 'datagram' | 'unreachable'
  /** The names of the hosts. */
  readonly from: string
  readonly to: string
  /**
   * The connection's name, the same at both ends: `client>10.0.0.1:80#1` is the first that this host made to there. Of a
   * datagram: where it comes from and goes to.
   */
  readonly connection: string
  /** What it carries. Look, and do not change it. */
  readonly bytes: Uint8Array | undefined
  /** How often it got lost before. */
  readonly losses: number
}

/**
 * What becomes of a packet: it arrives; it gets lost (and is sent again, as TCP does, unless it is a reset); or the
 * connection is reset, which for a handshake or a datagram means that it is refused.
 */
export type Verdict = 'pass' | 'drop' | 'reset'

/** Decides about each packet when it is about to arrive; `undefined` leaves it to the next rule. */
export type Rule = (packet: Packet) => Verdict | undefined
