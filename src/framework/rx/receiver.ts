/**
 * A receiver says how messages come out of a protocol and how they go into it, so that a connection can be seen as an
 * Observable of messages, whatever they are: lines, netstrings, chunks of bytes, or what your own protocol knows.
 *
 * No ancestor.
 */
import type { Data } from '../core/bytes.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import { type Hook, Protocol } from '../core/protocol.ts'
import type { Transport } from '../core/transport.ts'
import { LineReceiver } from '../framing/line-receiver.ts'
import {
  Int16StringReceiver,
  Int32StringReceiver,
  Int8StringReceiver,
  NetstringReceiver,
  VarintStringReceiver,
} from '../framing/string-receivers.ts'

/** Who is told what happens to a receiver's protocol. */
export interface ReceiverListener<In> {
  /** After the protocol's own `connectionMade`. */
  made(transport: Transport): void
  /** A message came. */
  received(message: In): void
  /** After the protocol's own `connectionLost`. */
  lost(reason: ConnectionClosed): void
}

/** A protocol, and how to send a message with it. */
export interface Speaker<Out> {
  readonly protocol: Protocol
  /** @throws LocalProtocolError for a message that cannot be sent */
  send(message: Out): void
}

/** Makes the protocol of one connection and lets `listener` hear it. Use it for as many connections as you like. */
export type Receiver<In, Out = In> = (listener: ReceiverListener<In>) => Speaker<Out>

/** The hooks of `P` that take one message: `lineReceived`, `stringReceived`, `dataReceived`. */
type MessageHook<P> = { [K in keyof P]: P[K] extends (message: never) => Hook ? K : never }[keyof P]
/** What such a hook takes. */
type MessageOf<P, K extends keyof P> = P[K] extends (message: infer In) => Hook ? In : never

/**
 * A receiver made of any protocol that has a hook for its messages. The hook is overridden; whatever else the protocol
 * does (a greeting, answers to pings, a hand-made login) it goes on doing.
 *
 * @param build makes a protocol for one connection
 * @param received the name of the hook that a message comes to; what it returns no longer matters
 * @param send sends one message with such a protocol
 * @example
 * const numbers = receiverOf(() => new Numbers(), 'numberReceived', (p, number: number) => p.sendNumber(number))
 */
export function receiverOf<P extends Protocol, K extends MessageHook<P>, Out>(
  build: () => P,
  received: K,
  send: (protocol: P, message: Out) => void,
): Receiver<MessageOf<P, K>, Out> {
  return (listener) => {
    const protocol = build()
    override(protocol, received as 'dataReceived', () => (message) => listener.received(message as MessageOf<P, K>))
    override(protocol, 'makeConnection', (itsOwn) => (transport) => {
      const returned = itsOwn(transport)
      listener.made(transport)
      return returned
    })
    override(protocol, 'connectionLost', (itsOwn) => (reason) => {
      try {
        return itsOwn(reason)
      } finally {
        listener.lost(reason)
      }
    })
    return { protocol, send: (message) => send(protocol, message) }
  }
}

/** How {@link lines} cuts. */
export interface LineOptions {
  /** What ends a line, in both directions: CR LF unless given. */
  readonly delimiter?: Data
  /** How long a line may be, in bytes: 16,384 unless given. */
  readonly maxLength?: number
}

/** Lines, as bytes without their delimiter; text may be sent too. A LineReceiver underneath. */
export function lines({ delimiter, maxLength }: LineOptions = {}): Receiver<Uint8Array, Data> {
  return receiverOf(
    () => {
      const protocol = new Lines()
      if (delimiter !== undefined) protocol.delimiter = delimiter
      if (maxLength !== undefined) protocol.maxLength = maxLength
      return protocol
    },
    'lineReceived',
    (protocol, line: Data) => protocol.sendLine(line),
  )
}

/** How {@link strings} cuts. */
export interface StringOptions {
  /** How long a string of the peer's may be, in bytes: 1 MiB unless given. */
  readonly maxLength?: number
}

/** Strings with their length in front, as bytes; text may be sent too. */
export function strings(
  length: 'netstring' | 'int8' | 'int16' | 'int32' | 'varint',
  { maxLength }: StringOptions = {},
): Receiver<Uint8Array, Data> {
  return receiverOf(
    () => {
      const protocol = new stringProtocols[length]()
      if (maxLength !== undefined) protocol.maxLength = maxLength
      return protocol
    },
    'stringReceived',
    (protocol, string: Data) => protocol.sendString(string),
  )
}

/** Bytes as they come. Where one chunk ends and the next begins means nothing. */
export function bytes(): Receiver<Uint8Array, Data> {
  return receiverOf(
    () => new Bytes(),
    'dataReceived',
    (protocol, data: Data) => protocol.transport.write(data),
  )
}

class Lines extends LineReceiver {
  override lineReceived(): void {}
}

class Bytes extends Protocol {}

const stringProtocols = {
  netstring: class Netstrings extends NetstringReceiver {
    override stringReceived(): void {}
  },
  int8: class Int8Strings extends Int8StringReceiver {
    override stringReceived(): void {}
  },
  int16: class Int16Strings extends Int16StringReceiver {
    override stringReceived(): void {}
  },
  int32: class Int32Strings extends Int32StringReceiver {
    override stringReceived(): void {}
  },
  varint: class VarintStrings extends VarintStringReceiver {
    override stringReceived(): void {}
  },
}

/** Puts a method of `protocol`'s own in front of its class's. */
function override<K extends 'dataReceived' | 'makeConnection' | 'connectionLost'>(
  protocol: Protocol,
  name: K,
  method: (itsOwn: Protocol[K]) => Protocol[K],
): void {
  const value = method(protocol[name].bind(protocol) as Protocol[K])
  Object.defineProperty(protocol, name, { value, configurable: true, writable: true })
}
