/**
 * `couplet/testing`: what the test of a protocol needs, and no test runner.
 */
export { AccumulatingProtocol } from './accumulating-protocol.ts'
export { assertNoResult, failureResultOf, successResultOf } from './deferred-assertions.ts'
export { everyChunking } from './every-chunking.ts'
export { ManualClock } from './manual-clock.ts'
export { connected, StringTransport, type StringTransportOptions } from './string-transport.ts'
export { flushUnhandled } from '../deferred/unhandled.ts'
