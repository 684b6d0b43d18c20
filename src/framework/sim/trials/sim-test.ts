/**
 * Tests that run a whole world many times, each time with another seed, another network and other faults; and what they
 * say when one of them fails.
 *
 * Ancestor: none in Twisted; `twisted.trial` has `SynchronousTestCase` for one world and one order of events.
 */
import { type Report, setReporter } from '../../deferred/reporter.ts'
import { flushUnhandled } from '../../deferred/unhandled.ts'
import { setTracer, trace } from '../../trace/hook.ts'
import { TraceLinter } from '../../trace/linter.ts'
import { InvariantBroken } from '../expectations.ts'
import type { Trouble } from '../faults/fault.ts'
import { Hop } from '../hop.ts'
import { RandomStream } from '../random-stream.ts'
import { Sim } from '../sim.ts'
import { Evidence } from './evidence.ts'
import { minimise } from './minimise.ts'
import { type Knobs, type Scenario, scenarioLiteral } from './scenario.ts'
import { drawFaults, drawKnobs, faultKinds } from './swarm.ts'

/** The function of a test runner that defines a test; those of vitest, jest, mocha and `node:test` will do. */
export type DefineTest = (name: string, body: () => Promise<void>) => unknown

/** How a world is tried. */
export interface SimTestOptions<Operation = never> {
  /** How many seeds, from 0 on. 100 unless given; the environment's `SIM_SEEDS` says otherwise, `SIM_SEED` is only one. */
  readonly seeds?: number
  /** Milliseconds in which things may go wrong, before everything is made well. 60,000 unless given. */
  readonly duration?: number
  /** What may go wrong: all kinds unless given. Crashes only happen to hosts whose program was started with `run`. */
  readonly faults?: readonly Trouble['kind'][]
  /** How many faults there are at most. 6 unless given. */
  readonly mostFaults?: number
  /** Draws what the programs are to do. Plain data, so that it can be printed; nothing unless given. */
  readonly operations?: (random: RandomStream) => readonly Operation[]
  /** Changes what was drawn for the network. */
  readonly knobs?: (drawn: Knobs) => Knobs
  /** How often a scenario that fails may be run again, to make it smaller. 300 unless given. */
  readonly mostRuns?: number
  /** Only this, and nothing drawn: what a failure told you to paste. */
  readonly scenario?: Scenario<Operation>
  /** The programs wait for promises. It takes longer, and is off unless given. */
  readonly promises?: boolean
  /** Milliseconds after which the world has to be at rest again. A day unless given. */
  readonly rest?: number
  /** Called after each run that did not fail, to count what was tried. */
  readonly ran?: (run: SimRun<Operation>) => void
  /** Whether what is reported (a hook that failed, a failure that nobody handled) fails the test. `fail` unless given. */
  readonly reports?: 'fail' | 'allowed'
  /**
   * Whether everything that happens is held to the rules of the trace (see `lintTrace` of `couplet`) as it happens.
   * `checked` unless given; without it a run takes about two thirds of the time.
   */
  readonly trace?: 'checked' | 'unchecked'
}

/** A run that did not fail. */
export interface SimRun<Operation = never> {
  readonly scenario: Scenario<Operation>
  /** The same for two runs only if the same has happened in both of them, in the same order: see `sim.hash`. */
  readonly hash: string
  /** How many events there were, and how many milliseconds of virtual time. */
  readonly events: number
  readonly ms: number
}

/** Sets a world up: hosts, programs, what always holds, and what comes true. Called once for each run. */
export type Stage<Operation = never> = (sim: Sim, operations: readonly Operation[]) => void

/** Defines a test that tries a world with many seeds. */
export type SimTest = <Operation = never>(
  name: string,
  options: SimTestOptions<Operation>,
  stage: Stage<Operation>,
) => void

/** A run failed; the message says everything that helps, and `cause` is the error. */
export class SimFailure extends Error {
  static {
    this.prototype.name = 'SimFailure'
  }
  readonly code: string = 'ERR_SIM_FAILURE'
  /** The smallest scenario that fails so. */
  readonly scenario: Scenario<unknown>

  constructor(message: string, scenario: Scenario<unknown>, cause: unknown) {
    super(message, { cause })
    this.scenario = scenario
  }
}

/**
 * Makes the function that defines such tests.
 *
 * @param test of your test runner
 * @param command what runs one test of this name. vitest's unless given
 *
 * @example
 * const simTest = simTestWith(it)
 * simTest('every question is answered', { seeds: 1000 }, (sim) => {
 *   const answers = askAndAnswer(sim.host('server'), sim.host('client'))
 *   sim.invariant('no answer is wrong', () => answers.wrong)
 *   sim.eventually('all are there', () => answers.complete)
 * })
 */
export function simTestWith(test: DefineTest, command = vitest): SimTest {
  return (name, options, stage) => {
    test(name, async () => {
      const { scenario, seeds = 100 } = options
      if (scenario !== undefined) {
        await new Trial(name, options, stage, command).replay(scenario)
        return
      }
      const only = setting('SIM_SEED')
      const first = only === undefined ? 0 : Number(only)
      const count = only === undefined ? Number(setting('SIM_SEEDS') ?? seeds) : 1
      await new Trial(name, options, stage, command).tryAll(first, count)
    })
  }
}

interface Outcome<Operation> extends SimRun<Operation> {
  readonly error: Error | undefined
}

/** One test: runs its world again and again. */
class Trial<Operation> {
  readonly #name: string
  readonly #options: SimTestOptions<Operation>
  readonly #stage: Stage<Operation>
  readonly #command: (name: string) => string

  constructor(
    name: string,
    options: SimTestOptions<Operation>,
    stage: Stage<Operation>,
    command: (name: string) => string,
  ) {
    this.#name = name
    this.#options = options
    this.#stage = stage
    this.#command = command
  }

  async tryAll(first: number, count: number): Promise<void> {
    const hop = new Hop()
    try {
      for (let seed = first; seed < first + count; seed++) {
        const outcome = await this.#run(this.#drawn(seed))
        if (outcome.error !== undefined) throw await this.#failure(outcome.scenario, outcome.error)
        this.#options.ran?.(outcome)
        if (seed % 100 === 0) await this.#runAgain(outcome)
        // The test runner wants to be heard of now and then.
        if (seed % 100 === 0) await hop.microtasks()
      }
    } finally {
      hop.close()
    }
  }

  async replay(scenario: Scenario<Operation>): Promise<void> {
    const { error } = await this.#run(scenario)
    if (error !== undefined) throw await this.#report(scenario, error, 'with its scenario')
  }

  /** The scenario of a seed, but for its faults, for which the hosts have to be known. */
  #drawn(seed: number): Omit<Scenario<Operation>, 'faults'> {
    const { knobs = (drawn) => drawn, operations } = this.#options
    return {
      seed,
      knobs: knobs(drawKnobs(seed)),
      operations: operations?.(new RandomStream(seed, 'swarm:operations')) ?? [],
    }
  }

  async #run(
    given: Omit<Scenario<Operation>, 'faults'> & { readonly faults?: Scenario['faults'] },
    see: (sim: Sim) => void = () => {},
  ): Promise<Outcome<Operation>> {
    const { seed, knobs, operations } = given
    const { duration = 60_000, rest, promises = false, reports = 'fail' } = this.#options
    const sim = new Sim({ maxEventsAtOnce: 100_000, ...knobs, seed })
    see(sim)
    let scenario: Scenario<Operation> = { seed, knobs, operations, faults: given.faults ?? [] }
    let error: Error | undefined
    const reported: Report[] = []
    const restore = setReporter((report) => reported.push(report))
    const stopListening = this.#options.trace === 'unchecked' ? (): void => {} : holdToTheRules(sim)
    try {
      this.#stage(sim, operations)
      if (given.faults === undefined) scenario = { ...scenario, faults: this.#faultsFor(sim, seed, duration) }
      sim.faults(scenario.faults)
      if (promises) {
        await sim.runFor(duration)
        await sim.runToQuiescence(rest)
      } else {
        sim.advance(duration)
        sim.quiesce(rest)
      }
    } catch (thrown) {
      error = thrown instanceof Error ? thrown : new Error(String(thrown))
    } finally {
      reported.push(...flushUnhandled())
      restore()
      stopListening()
    }
    const [first] = reports === 'fail' ? reported : []
    if (first !== undefined) error ??= new Error(`${first.what}: ${String(first.error)}`, { cause: first.error })
    return { scenario, hash: sim.hash, events: sim.events, ms: sim.now, error }
  }

  #faultsFor(sim: Sim, seed: number, within: number): Scenario['faults'] {
    const { faults: kinds = faultKinds, mostFaults: most = 6 } = this.#options
    const hosts = sim.hosts.map(({ name }) => name)
    const restartable = sim.hosts.filter(({ restartable }) => restartable).map(({ name }) => name)
    return drawFaults(seed, { kinds, most, within, hosts, restartable })
  }

  /** A world that is not the same the second time cannot be trusted in anything else. */
  async #runAgain({ scenario, hash }: Outcome<Operation>): Promise<void> {
    const again = await this.#run(scenario)
    if (again.hash === hash) return
    const what = `not the same the second time: its hash was ${hash}, and then ${again.hash} (does it keep something`
    const error = new Error(`the world of seed ${scenario.seed} was ${what} outside of the stage?)`)
    throw await this.#report(scenario, error, `with seed ${scenario.seed}`)
  }

  async #failure(scenario: Scenario<Operation>, error: Error): Promise<SimFailure> {
    const kind = kindOf(error)
    const failsSo = async (smaller: Scenario<Operation>): Promise<boolean> => {
      const { error: other } = await this.#run(smaller)
      return other !== undefined && kindOf(other) === kind
    }
    const { scenario: smallest, runs } = await minimise(scenario, failsSo, this.#options.mostRuns)
    return this.#report(smallest, error, `with seed ${scenario.seed} (made smaller in ${runs} runs)`)
  }

  /** Runs it once more, and listens. */
  async #report(scenario: Scenario<Operation>, error: Error, how: string): Promise<SimFailure> {
    const evidence = new Evidence()
    let sim: Sim | undefined
    let seen = error
    await evidence.collect(async (see) => {
      const outcome = await this.#run(scenario, (world) => {
        sim = world
        see(world)
      })
      seen = outcome.error ?? error
    })
    const open = sim?.explain() ?? ''
    const pending = evidence.pending()
    const message = [
      `"${this.#name}" failed ${how}`,
      '',
      `${seen.name}: ${seen.message}`,
      '',
      'To see it again:',
      `  SIM_SEED=${scenario.seed} ${this.#command(this.#name)}`,
      'or give the test this option, the smallest scenario that fails so:',
      ...indented(scenarioLiteral(scenario).split('\n')),
      '',
      'The last events:',
      ...indented(evidence.lastEvents()),
      '',
      'Deferreds that never fired:',
      ...indented(pending.length === 0 ? ['none'] : pending),
    ]
    if (!seen.message.includes(open)) message.push('', 'In the end:', ...indented(open.split('\n')))
    return new SimFailure(message.join('\n'), scenario, seen)
  }
}

/** From now on every run that breaks a rule of the trace ends there. @returns a function that stops it */
function holdToTheRules(sim: Sim): () => void {
  const linter = new TraceLinter({ now: () => sim.now, tracer: trace, whole: true })
  sim.invariant('the trace keeps its rules', () => {
    const { complaint } = linter
    return complaint && `event ${complaint.seq}, ${complaint.on}: ${complaint.what}`
  })
  return setTracer(linter)
}

/** Two errors of one kind are taken for the same failure: numbers are where and when, words are what. */
function kindOf(error: Error): string {
  if (error instanceof InvariantBroken) return `${error.name} ${error.invariant}`
  const [sentence = ''] = error.message.split('\n')
  return `${error.name} ${sentence.replace(/\d+(\.\d+)?/g, '0')}`
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

function vitest(name: string): string {
  return `npx vitest run -t '${name.replaceAll("'", "'\\''")}'`
}

/** What the environment says, where there is one. */
function setting(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  return process?.env?.[name]
}
