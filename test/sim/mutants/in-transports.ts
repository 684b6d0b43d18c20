/** Defects of TLS, in the middle of a connection and as it is modelled, and of datagrams. */
import type { Mutant } from './mutant.ts'

const connection = 'framework/core/stream-connection.ts'
const datagrams = 'framework/core/datagram-port.ts'
const upgrade = 'framework/core/tls-upgrade.ts'

export const inTransports: readonly Mutant[] = [
  /* ---------------------------------------------------------------- TLS */
  {
    breaks: 'what came in the clear is heard as if it had been said in secret',
    file: connection,
    from: 'if (pending > 0) {',
    to: 'if (pending < 0) {',
  },
  {
    breaks: 'lines behind the one that asks for TLS are delivered at once',
    file: connection,
    from: 'this.#stalled || this.#upgrade !== undefined',
    to: 'this.#stalled',
  },
  {
    breaks: 'what is written while TLS begins goes out in the clear',
    file: connection,
    from: 'this.#upgrade === undefined ? this.#enqueue(data) : this.#upgrade.hold(data)',
    to: 'this.#enqueue(data)',
  },
  {
    breaks: 'what was written while TLS began is lost',
    file: connection,
    from: 'for (const piece of upgrade.drop()) this.#enqueue(piece)',
    to: 'upgrade.drop()',
  },
  {
    breaks: 'what waits for TLS stays in memory that others write to',
    file: upgrade,
    from: 'bytes === data ? copy(bytes) : bytes',
    to: 'bytes',
  },
  {
    breaks: 'who has become secure is not heard any more',
    file: connection,
    from: 'turn.leave()\n    this.#adjustReading()\n    this.#advance()',
    to: 'turn.leave()\n    this.#advance()',
  },
  {
    breaks: 'who waits for TLS is not told that the connection has ended',
    file: connection,
    from: 'upgrade?.fail(this.peer, reason)',
    to: '',
  },
  {
    breaks: 'an end without a goodbye is a clean one over TLS, too',
    file: connection,
    from: 'if (cut !== undefined) this.#ending.cut ??= cut\n',
    to: '',
  },
  {
    breaks: 'a certificate that nobody has vouched for is accepted, in simulation',
    file: 'framework/sim/tls/session.ts',
    from: 'if (problem !== undefined && insecure === undefined) this.#fail',
    to: 'if (problem !== undefined && insecure !== undefined) this.#fail',
  },
  {
    breaks: 'an end over simulated TLS says no goodbye',
    file: 'framework/sim/network/sim-connection.ts',
    from: 'if (this.#session === undefined || this.#sendRecord(goodbye(), finish)) finish()',
    to: 'finish()',
  },
  {
    breaks: 'what has come over simulated TLS is delivered to who has paused',
    file: 'framework/sim/tls/session.ts',
    from: "(this.#state === 'secure' && this.#outside.reading)",
    to: "this.#state === 'secure'",
  },
  /* ---------------------------------------------------------------- datagrams */
  {
    breaks: 'a port that is connected hears everybody',
    file: datagrams,
    from: 'if (this.#heard !== undefined && !from.equals(this.#heard)) return\n',
    to: '',
  },
  {
    breaks: 'a datagram of any length is delivered',
    file: datagrams,
    from: 'if (datagram.length > this.#maxPacketSize) {',
    to: 'if (datagram.length > 65_535) {',
  },
  {
    breaks: 'that nobody listens is told once, and never again',
    file: datagrams,
    from: 'this.#tells = this.#refused = false',
    to: 'this.#refused = false',
  },
  {
    breaks: 'what was refused is told as if it were somebody else',
    file: datagrams,
    from: 'if (refused) this.#guard',
    to: 'if (!refused) this.#guard',
  },
  {
    breaks: 'a protocol is not told that its port has closed',
    file: datagrams,
    from: "this.#guard('stopProtocol', () => protocol.stopProtocol())",
    to: '',
  },
  {
    breaks: 'who stops a port is told before its protocol is',
    file: datagrams,
    from: 'this.#closed = true\n',
    to: 'this.#closed = true\n    for (const stopped of this.#stopped.splice(0)) stopped.callback()\n',
  },
  {
    breaks: 'an answer goes to whoever the port is connected to, or to nobody',
    file: datagrams,
    from: 'this.send(datagram, this.#peer === undefined ? peer : undefined)',
    to: 'this.send(datagram, undefined)',
  },
]
