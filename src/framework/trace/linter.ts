/**
 * Looks whether a trace keeps the rules: over a record that is there, or while something happens.
 *
 * No ancestor in Twisted. What it finds is a defect of the framework, of a transport, or of a reactor, not of the programs
 * that run on it; so it is the oracle inside of every test of a simulated world.
 */
import type { Fields, Kind, Seq, Tracer } from './hook.ts'
import type { TraceEvent } from './recorder.ts'
import { type Complaint, TraceRules } from './rules.ts'

/** How much a trace is held to. */
export interface LintOptions {
  /**
   * Whether the record begins before everything that is in it, so that something that happens to a subject without a
   * beginning is wrong. Not unless given.
   */
  readonly whole?: boolean
}

/**
 * Says which rules a recorded trace breaks: nothing, if all is well.
 *
 * Events are numbered without a gap; time never goes back in a process; spans nest and all close; causes come first; bytes
 * are written, sent, received in order, and never more than were there; nothing happens to a connection before it is made
 * or after it is lost; a Deferred fires once and its stages have their turn once and in order; timers are called once,
 * never early, and not after they were cancelled; nothing is called in a process that is busy; frames do not overlap.
 *
 * @param events as a Recorder has them, all that it wrote; of one that forgot some (`maxEvents`), spans and subjects from
 *   before are not held to anything
 *
 * @example
 * expect(lintTrace(recorder.events)).toEqual([])
 */
export function lintTrace(events: readonly TraceEvent[], { whole = false }: LintOptions = {}): readonly Complaint[] {
  const complaints: Complaint[] = []
  const times = new Map<string, number>()
  let time = 0
  const rules = new TraceRules({ now: () => time, whole, complain: (complaint) => complaints.push(complaint) })
  const first = events[0]?.seq ?? 1
  let expected = first
  for (const event of events) {
    const { seq, t, p, k, on, up, by } = event
    const complain = (what: string): void => void complaints.push({ seq, on, what })
    if (seq !== expected) complain(`its number is ${seq}, and ${expected} would be the next`)
    expected = seq + 1
    if (t < (times.get(p) ?? 0)) complain(`it is at ${t} µs, and one before it in ${p} was at ${times.get(p)} µs`)
    times.set(p, t)
    time = t / 1000
    const { innermost } = rules
    if (up !== innermost && up >= first) complain(`it is inside of span ${up}, and the innermost one is ${innermost}`)
    if (k !== 'end') rules[spans.has(k) ? 'begin' : 'at'](seq, k, on, event, by)
    else if ((event['of'] as Seq) >= first) rules.end(seq, event['of'] as Seq, on)
  }
  rules.rest()
  return complaints
}

/** The kinds that open a span. */
const spans = new Set<string>(['wait', 'call', 'd.fire', 'd.run', 'rx.next'] satisfies Kind[])

/** How a {@link TraceLinter} listens. */
export interface TraceLinterOptions extends LintOptions {
  /** The time in milliseconds, for what happens in no process that has a clock. */
  readonly now: () => number
  /** Who listens too, and gives events their numbers. */
  readonly tracer?: Tracer | undefined
}

/** A tracer that holds what happens to the rules as it happens, and keeps nothing but the first that was broken. */
export class TraceLinter implements Tracer {
  readonly #rules: TraceRules
  readonly #tracer: Tracer | undefined
  #complaint: Complaint | undefined
  #seq = 0

  constructor({ now, tracer, whole = false }: TraceLinterOptions) {
    this.#tracer = tracer
    const nowOf = (process: unknown): number => (isClock(process) ? process.now() : now())
    this.#rules = new TraceRules({ now: nowOf, whole, complain: (complaint) => (this.#complaint ??= complaint) })
  }

  /** The first rule that was broken. Ask between two events of the reactor: no span may be open then. */
  get complaint(): Complaint | undefined {
    if (this.#rules.innermost !== 0) this.#rules.rest()
    return this.#complaint
  }

  at(kind: Kind, on: object, fields: Fields = none, by?: Seq): Seq {
    const seq = this.#tracer === undefined ? ++this.#seq : this.#tracer.at(kind, on, fields, by)
    this.#rules.at(seq, kind, on, fields, by)
    return seq
  }

  begin(kind: Kind, on: object, fields: Fields = none, by?: Seq): Seq {
    const seq = this.#tracer === undefined ? ++this.#seq : this.#tracer.begin(kind, on, fields, by)
    this.#rules.begin(seq, kind, on, fields, by)
    return seq
  }

  end(begin: Seq, fields?: Fields): void {
    this.#tracer?.end(begin, fields)
    this.#rules.end(begin, begin, undefined)
  }

  id(on: object): string {
    return this.#tracer?.id(on) ?? on.constructor.name
  }

  mark(on: object, seq: Seq): void {
    this.#tracer?.mark(on, seq)
  }

  marked(on: object): Seq | undefined {
    return this.#tracer?.marked(on)
  }
}

const none: Fields = {}

function isClock(process: unknown): process is { now(): number } {
  return typeof process === 'object' && process !== null && 'now' in process && typeof process.now === 'function'
}
