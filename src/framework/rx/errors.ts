/**
 * What can go wrong in the bridge itself.
 *
 * No ancestor.
 */

/** More messages were to be sent than may wait: the source is faster than the connection, or there is none yet. */
export class OutboxOverflow extends Error {
  static {
    this.prototype.name = 'OutboxOverflow'
  }
  readonly code: string = 'ERR_OUTBOX_OVERFLOW'
  /** How many messages may wait. */
  readonly limit: number

  constructor(limit: number, why: string, advice: string) {
    super(`${limit + 1} messages would be waiting to be sent, the limit is ${limit}: ${why} (${advice})`)
    this.limit = limit
  }
}
