/**
 * The experiment that the project began with: the same slow poets, asked one after another and then all at once, and
 * the time that each way takes.
 *
 * It runs on any reactor: over sockets in real time, over the simulated network in virtual time. Ancestor: krondo's
 * parts 1 to 3.
 */
import {
  gatherResults,
  inlineCallbacks,
  type InlineGenerator,
  type ListeningPort,
  type Reactor,
  Recorder,
  setTracer,
  type Deferred,
  TCPClientEndpoint,
} from 'couplet'
import { type Mode, modes } from './download.ts'
import { PoetryFactory } from './poetry-protocol.ts'
import { getRecorded, storyOf, type Task } from './pictures/story.ts'

/** Where the experiment takes place, and with what. */
export interface ExperimentOptions {
  /** Where the poets are. */
  readonly poets: Reactor
  /** Where their reader is; the same as `poets` if they share a machine. */
  readonly reader: Reactor
  /** The address at which the poets listen, each on a free port. `127.0.0.1` unless given. */
  readonly interface?: string | undefined
  /** The poems; each has a poet of its own. */
  readonly poems: readonly Uint8Array[]
  /** Milliseconds of silence before every line. 1,000 unless given. */
  readonly delay?: number | undefined
  /**
   * Listens already ({@link setTracer}), and hears of everything that happens; it keeps the events of one run at least.
   * Unless given, each run has one of its own, and nobody else hears of it.
   */
  readonly recorder?: Recorder | undefined
  /** A run begins. */
  readonly began?: ((mode: Mode) => void) | undefined
  /** A piece arrived, of the poem at `index`, `ms` milliseconds after the run began. */
  readonly received?: ((index: number, piece: Uint8Array, ms: number) => void) | undefined
}

/** All poems, got in one of the two ways. */
export interface Run {
  readonly mode: Mode
  /** How long it took, in milliseconds. */
  readonly ms: number
  /** What was got, in the order of the poems. */
  readonly poems: readonly Uint8Array[]
  /** What the record says about each poem, in the order of the poems; times are from the beginning of the run. */
  readonly tasks: readonly Task[]
}

/** Both runs. */
export interface Experiment {
  readonly sequential: Run
  readonly concurrent: Run
}

/**
 * Runs it: first sequential, then concurrent.
 *
 * @returns fails with what the first poem that failed did, or with CannotListenError; the poets are gone in any case
 */
export function experiment(options: ExperimentOptions): Deferred<Experiment> {
  return inlineCallbacks(function* experiment(): InlineGenerator<Experiment> {
    const { poets, poems, delay, interface: at = '127.0.0.1' } = options
    const ports: ListeningPort[] = []
    try {
      for (const poem of poems) {
        ports.push(yield* poets.listenTCP(0, new PoetryFactory(poets, poem, { delay }), { interface: at }))
      }
      const sequential = yield* run('sequential', ports, options)
      const concurrent = yield* run('concurrent', ports, options)
      return { sequential, concurrent }
    } finally {
      yield* gatherResults(ports.map((port) => port.stopListening()))
    }
  })()
}

function run(mode: Mode, ports: readonly ListeningPort[], options: ExperimentOptions): Deferred<Run> {
  return inlineCallbacks(function* run(): InlineGenerator<Run> {
    const { reader, began, received } = options
    const recorder = options.recorder ?? new Recorder({ now: () => reader.now(), detail: 1 })
    const restore = options.recorder === undefined ? setTracer(recorder) : () => undefined
    const before = recorder.events.at(-1)?.seq ?? 0
    const start = reader.now()
    try {
      began?.(mode)
      const jobs = ports.map((port, index) => () => {
        if (!('port' in port.host)) throw new TypeError(`${port.host} is not a TCP address`)
        const endpoint = new TCPClientEndpoint(reader, port.host.host, port.host.port)
        return getRecorded(recorder, `poem ${index + 1}`, endpoint, {
          received: (piece) => received?.(index, piece, reader.now() - start),
        })
      })
      const outcomes = yield* modes[mode](jobs)
      const ms = reader.now() - start
      const poems = outcomes.map((outcome) => {
        if (!outcome.ok) throw outcome.failure.value
        return outcome.value
      })
      return { mode, ms, poems, tasks: storyOf(recorder.events.filter(({ seq }) => seq > before)).tasks }
    } finally {
      restore()
    }
  })()
}
