/**
 * What a way from one host to another is like: how long it takes, how much it carries, what it does to the bytes.
 *
 * No ancestor. Nothing here breaks a promise that TCP makes: the worst link delivers the same bytes in the same order.
 */

/** How the bytes that have arrived come to the program, chunk by chunk; their edges mean nothing, and this proves it. */
export type Delivery =
  /** As they were sent, if the buffers had room. */
  | 'as sent'
  /** One byte at a time. */
  | 'bytes'
  /** Few or many at a time, as it happens. */
  | 'random'
  /** All that is there, joined: up to 64 KiB. */
  | 'joined'

/** When a program that has stopped reading, and has read all there was, learns that its peer has ended. */
export type Ends =
  /** When it reads again. */
  | 'when read'
  /** As soon as the end is here, as Node tells it; and once both have ended, the socket closes by itself. */
  | 'at once'

/** What a link is like, in one direction. What is left out is as in a `new Sim()`. */
export interface LinkOptions {
  /** Milliseconds from one end to the other. 0 unless given. */
  readonly latency?: number
  /** Up to so many milliseconds more, other ones for each packet, which still arrive in order. 0 unless given. */
  readonly jitter?: number
  /** Bytes a second that all connections of this direction share. Without a limit unless given. */
  readonly bandwidth?: number
  /** Bytes in a packet at most. 64 KiB unless given; 1,460 over Ethernet. */
  readonly segmentSize?: number
  /**
   * How many of a hundred packets get lost. TCP sends them again: after 200 ms, then 400 ms, and so on up to two minutes;
   * all that comes behind waits. After the 15th time the connection is lost. Of datagrams nobody hears. 0 unless given.
   */
  readonly loss?: number
  /** How many datagrams of a hundred arrive twice. TCP notices such things, and programs on it do not. 0 unless given. */
  readonly duplicates?: number
  /**
   * How many datagrams of a hundred are late, so that others overtake them: by up to 10 ms, or three times the latency.
   * 0 unless given; jitter also changes their order.
   */
  readonly stragglers?: number
  /** The longest datagram that gets through, in bytes. What UDP can carry unless given; 1,472 where nothing is in pieces. */
  readonly longestDatagram?: number
  /** How the bytes come to the program: `as sent` unless given. */
  readonly delivery?: Delivery
  /** How the end of a connection comes to a program that does not read: `when read` unless given. */
  readonly ends?: Ends
  /** Bytes in a connection's send buffer. 64 KiB unless given. */
  readonly sendBuffer?: number
  /** Bytes in a connection's receive buffer. 64 KiB unless given. */
  readonly receiveBuffer?: number
}

/** The same in the units of the simulation: microseconds, bytes, and packets out of a million. */
export interface LinkTerms {
  readonly latency: number
  readonly jitter: number
  readonly bandwidth: number
  readonly segmentSize: number
  readonly loss: number
  readonly duplicates: number
  readonly stragglers: number
  readonly longestDatagram: number
  readonly delivery: Delivery
  readonly ends: Ends
  readonly sendBuffer: number
  readonly receiveBuffer: number
}

const plain: LinkTerms = {
  latency: 0,
  jitter: 0,
  bandwidth: Infinity,
  segmentSize: 65_536,
  loss: 0,
  duplicates: 0,
  stragglers: 0,
  longestDatagram: 65_527,
  delivery: 'as sent',
  ends: 'when read',
  sendBuffer: 65_536,
  receiveBuffer: 65_536,
}

/**
 * `options` on top of `before`.
 *
 * @throws RangeError if one of them cannot be
 */
export function linkTerms(options: LinkOptions, before: LinkTerms = plain): LinkTerms {
  const { latency, jitter, bandwidth, segmentSize, delivery, ends, sendBuffer, receiveBuffer } = options
  const { loss, duplicates, stragglers, longestDatagram } = options
  return {
    latency: latency === undefined ? before.latency : microseconds('a latency', latency),
    jitter: jitter === undefined ? before.jitter : microseconds('a jitter', jitter),
    bandwidth: bandwidth === undefined ? before.bandwidth : atLeastOne('a bandwidth is', bandwidth, 'bytes a second'),
    segmentSize: segmentSize === undefined ? before.segmentSize : whole('a packet', segmentSize),
    loss: loss === undefined ? before.loss : millionths('a loss', loss),
    duplicates: duplicates === undefined ? before.duplicates : millionths('what comes twice', duplicates),
    stragglers: stragglers === undefined ? before.stragglers : millionths('what comes late', stragglers),
    longestDatagram: longestDatagram === undefined ? before.longestDatagram : whole('a datagram', longestDatagram),
    delivery: delivery ?? before.delivery,
    ends: ends ?? before.ends,
    sendBuffer: sendBuffer === undefined ? before.sendBuffer : whole('a buffer', sendBuffer),
    receiveBuffer: receiveBuffer === undefined ? before.receiveBuffer : whole('a buffer', receiveBuffer),
  }
}

function microseconds(what: string, ms: number): number {
  if (ms >= 0 && ms < Infinity) return Math.round(ms * 1000)
  throw new RangeError(`${what} is a number of milliseconds, 0 or more, not ${ms}`)
}

function whole(what: string, bytes: number): number {
  if (Number.isInteger(bytes) && bytes >= 1) return bytes
  throw new RangeError(`${what} holds 1 byte or more, not ${bytes}`)
}

function atLeastOne(what: string, amount: number, unit: string): number {
  if (amount >= 1) return amount
  throw new RangeError(`${what} 1 or more ${unit}, not ${amount}`)
}

function millionths(what: string, percent: number): number {
  if (percent >= 0 && percent < 100) return Math.round(percent * 10_000)
  throw new RangeError(`${what} is a number of packets in a hundred, from 0 up to 100, not ${percent}`)
}
