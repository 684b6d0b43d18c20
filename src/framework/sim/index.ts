/**
 * `couplet/sim`: the same programs as over sockets, on a network in memory and in virtual time.
 */

export { type HostOptions, Sim, type SimOptions } from './sim.ts'
export { type SimHost } from './sim-host.ts'
export { type SimReactor } from './sim-reactor.ts'
