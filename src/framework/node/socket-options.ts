/**
 * How every TCP socket of ours is made, whether it comes in or goes out.
 */

export const socketOptions = {
  /** When to close after the peer's FIN is for StreamConnection to decide. */
  allowHalfOpen: true,
  /** One address a time: Node's own racing gives up on attempts too early. */
  autoSelectFamily: false,
  /** Small writes are gathered by us, turn by turn; waiting for more would only delay them. */
  noDelay: true,
  /** A peer that has vanished is noticed, some time. */
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  /** The same on every version of Node. Bytes. */
  highWaterMark: 64 * 1024,
} as const
