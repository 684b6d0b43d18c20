/**
 * `couplet/sim`: the same programs as over sockets, on a network in memory and in virtual time.
 *
 * @module couplet/sim
 */

/* the world */
export { SimEscape } from './escape.ts'
export { type RandomStream } from './random-stream.ts'
export { type Invariant, InvariantBroken, PromiseBroken } from './expectations.ts'
export { type HostOptions, Sim, type SimOptions } from './sim.ts'
export { type Executable, type Executables } from './processes/executable.ts'
export { type ScriptedProcess } from './processes/scripted-process.ts'
export { type CrashKind, type Program, type SimHost } from './sim-host.ts'
export { type SimReactor } from './sim-reactor.ts'
export { type ClockOptions } from './wall-clock.ts'

/* its network */
export { type Link, type SlowOptions } from './network/link.ts'
export { type Delivery, type Ends, type LinkOptions } from './network/link-options.ts'
export { type NameAnswer } from './network/name-service.ts'
export { type Packet, type Rule, type Verdict } from './network/packet.ts'
export { type SocketInfo } from './network/sockets.ts'

export { type CertificateOptions, certify, type Identity } from './tls/certificate.ts'

/* what goes wrong */
export { type Fault, type Trouble } from './faults/fault.ts'

/* tests that try a world with many seeds */
export { minimise, type Minimised } from './trials/minimise.ts'
export { type Knobs, type Scenario } from './trials/scenario.ts'
export {
  type DefineTest,
  SimFailure,
  type SimRun,
  type SimTest,
  type SimTestOptions,
  simTestWith,
  type Stage,
} from './trials/sim-test.ts'
export { faultKinds } from './trials/swarm.ts'
