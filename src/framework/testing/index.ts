/**
 * `couplet/testing`: what the test of a protocol needs, and of a transport; and no test runner.
 *
 * @module couplet/testing
 */
export { AccumulatingProtocol } from './accumulating-protocol.ts'
export { assertNoResult, failureResultOf, successResultOf } from './deferred-assertions.ts'
export { everyChunking } from './every-chunking.ts'
export { ManualClock } from './manual-clock.ts'
export { isPattern, pattern } from './pattern.ts'
export { connected, StringTransport, type StringTransportOptions } from './string-transport.ts'
export { type ContractOptions, type TestRunner, transportContract } from './transport-contract/transport-contract.ts'
export type {
  TransportCapability,
  ContractNetwork,
  PairLimits,
  TransportWorld,
} from './transport-contract/transport-world.ts'
export { Witness, type WitnessScript } from './witness.ts'
export { flushUnhandled } from '../deferred/unhandled.ts'
