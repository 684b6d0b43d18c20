/**
 * The contract of transports as a suite of tests: what holds for every one of them, to the letter, whoever wrote it.
 *
 * Ancestor: the mixins of `twisted.internet.test` that run over every reactor, and trio's `check_half_closeable_stream`.
 */
import { closesBothWays, losesConnections } from './closing.ts'
import { closesByHalves } from './half-closing.ts'
import { deliversBytes, takesOneProtocol } from './delivery.ts'
import { boundsWhatWaits, pausesDelivery } from './backpressure.ts'
import { failsItsOwn } from './failing-hooks.ts'
import { dialsAndListens } from './dialing.ts'
import { asksPullProducers, failsWithProducers } from './pull-producers.ts'
import { pausesPushProducers } from './push-producers.ts'
import { abortsConnections } from './aborting.ts'
import { type Define, Stage } from './stage.ts'
import type { TransportCapability, TransportWorld } from './transport-world.ts'

/** The two functions of a test runner that the contract needs; those of vitest, jest, mocha and `node:test` will do. */
export interface TestRunner {
  /** Groups tests. */
  readonly describe: (name: string, body: () => void) => unknown
  /** One test. */
  readonly it: {
    (name: string, body: () => Promise<void>): unknown
    /** One that is not run, and says so. */
    readonly skip: (name: string, body: () => Promise<void>) => unknown
  }
}

/** How {@link transportContract} runs. */
export interface ContractOptions extends TestRunner {
  /** What this transport cannot do; the tests that need it are skipped, and the runner says so. Nothing unless given. */
  readonly lacks?: readonly TransportCapability[]
}

const chapters: readonly [title: string, tests: (test: Define) => void][] = [
  ['delivers bytes', deliversBytes],
  ['takes one protocol', takesOneProtocol],
  ['pauses', pausesDelivery],
  ['bounds what waits', boundsWhatWaits],
  ['loseConnection', losesConnections],
  ['abortConnection', abortsConnections],
  ['closing in every state', closesBothWays],
  ['half close', closesByHalves],
  ['a push producer', pausesPushProducers],
  ['a pull producer', asksPullProducers],
  ['a producer that fails', failsWithProducers],
  ['a hook that fails', failsItsOwn],
  ['dial and listen', dialsAndListens],
]

/**
 * Defines the tests of the contract with the functions of your test runner: life cycle, order, backpressure, closing
 * in every state, producers, failing hooks, dialing and listening. A failure is a plain Error that says what was
 * expected. While a test runs, the reporter is its own, so the tests of a process run one after another.
 *
 * @param makeWorld is called once for each test
 *
 * @example
 * import { transportContract } from 'couplet/testing'
 * import { describe, it } from 'vitest'
 *
 * describe('a connection over carrier pigeons', () => {
 *   const makeWorld = () => {
 *     const loft = new Loft()
 *     return {
 *       pair: async (limits = {}) => [new PigeonConnection(loft, limits.near), new PigeonConnection(loft, limits.far)],
 *       plenty: 1 << 20, // bytes; no loft takes that much
 *       settle: () => loft.untilAllHaveLanded(),
 *       close: () => loft.close(),
 *     }
 *   }
 *   transportContract(makeWorld, { describe, it, lacks: ['network', 'addresses'] })
 * })
 */
export function transportContract(
  makeWorld: () => TransportWorld | PromiseLike<TransportWorld>,
  { describe, it, lacks = [] }: ContractOptions,
): void {
  const test: Define = (name, body, ...needs) => {
    const play = async (): Promise<void> => Stage.play(await makeWorld(), lacks, body)
    const missing = needs.filter((capability) => lacks.includes(capability))
    if (missing.length === 0) it(name, play)
    else it.skip(`${name} (it lacks: ${missing.join(', ')})`, play)
  }
  for (const [title, tests] of chapters) describe(title, () => tests(test))
}
