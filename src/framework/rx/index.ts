/**
 * `couplet/rx`: Deferreds and connections as Observables, and back. Needs `rxjs` 7.8 beside it.
 *
 * @module couplet/rx
 */

/* Deferreds */
export { fromDeferred, type FromDeferredOptions } from './from-deferred.ts'
export { toDeferred, type ToDeferredOptions } from './to-deferred.ts'

/* time */
export { type ClockWithChance, repeatWithBackoff, retryWithBackoff, type TryAgainOptions } from './backoff.ts'
export { reactorScheduler } from './reactor-scheduler.ts'

/* connections */
export { connect, type ConnectionOptions, ConnectionSubject } from './connect.ts'
export { Conversation, type ConversationEvents, type ConversationOptions } from './conversation.ts'
export { listen, type ListenerOptions } from './listen.ts'
export {
  bytes,
  type LineOptions,
  lines,
  type Receiver,
  type ReceiverListener,
  receiverOf,
  type Speaker,
  type StringOptions,
  strings,
} from './receiver.ts'
export { type TextLineOptions, textLines } from './text-lines.ts'

/* backpressure */
export { type Hold, hold } from './delivery.ts'
export { OutboxOverflow } from './errors.ts'
export { pacedMap } from './paced-map.ts'
export { writeAll, type WriteAllOptions } from './write-all.ts'
