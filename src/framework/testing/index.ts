/**
 * `couplet/testing`: what the test of a protocol needs, and no test runner.
 */
export { ManualClock } from './manual-clock.ts'
export { connected, StringTransport, type StringTransportOptions } from './string-transport.ts'
