/**
 * The one place that everything which happens is told to: a hook that costs nothing while nobody listens.
 *
 * Every room may call it: `trace?.at('d.fire', this, { ok: true })`. While no tracer is set, JavaScript does not
 * even evaluate the arguments. The hook is module-level, not per reactor, because a Deferred knows no reactor; so
 * one program records one world at a time. No ancestor in Twisted; trio's `Instrument` and IETF qlog are cousins.
 */

/** An event's number: 1, 2, 3, … in the order in which things happened; it is the event's identity too. */
export type Seq = number

/**
 * What happened. A dot separates the subject's kind from its event: `d` Deferred, `conn` connection, `rx` subscription.
 * Kinds that a reader does not know are to be skipped.
 */
export type Kind =
  | 'proc'
  | 'wait'
  | 'call'
  | 'busy'
  | `timer.${'set' | 'reset' | 'cancel'}`
  | 'listen'
  | 'unlisten'
  | `conn.${'open' | 'made' | 'fail' | 'half' | 'close' | 'lost'}`
  | `bytes.${'write' | 'sent' | 'arrive' | 'recv'}`
  | `dgram.${'send' | 'recv' | 'lost'}`
  | 'buf'
  | 'flow'
  | `frame.${'in' | 'out'}`
  | `d.${'new' | 'add' | 'fire' | 'run' | 'pass' | 'wait' | 'resume' | 'cancel' | 'lost'}`
  | `rx.${'sub' | 'next' | 'error' | 'complete' | 'unsub'}`
  | 'service'
  | 'fault'
  | 'log'
  | 'mark'
  | 'expect'

/**
 * What an event says beside its kind and subject. Values are whatever is at hand: the tracer makes them JSON-safe
 * when it records them, because values change later. `p`, where given, is the process (a reactor) it happened in.
 */
export type Fields = Readonly<Record<string, unknown>>

/** Who listens. A {@link Recorder} is the usual one. */
export interface Tracer {
  /** Something happened at one instant. `by` is its asynchronous cause: the event that scheduled or enabled it. */
  at(kind: Kind, on: object, fields?: Fields, by?: Seq): Seq
  /** Something began; everything until its {@link Tracer.end} happens inside it. */
  begin(kind: Kind, on: object, fields?: Fields, by?: Seq): Seq
  /** The span that began with event `begin` is over, and with it whatever is still open inside. */
  end(begin: Seq, fields?: Fields): void
  /** The subject's short name, given at first use: `c3`, `d4`, `t7`. */
  id(on: object): string
  /** Remember that event `seq` is what enables `on` to go on. */
  mark(on: object, seq: Seq): void
  /** The event that {@link Tracer.mark} remembered for `on`. */
  marked(on: object): Seq | undefined
}

/** The tracer that listens now, or `undefined`. A live binding: import it and write `trace?.at(…)`. */
export let trace: Tracer | undefined

/**
 * Lets `tracer` listen from now on, or nobody.
 *
 * @returns a function that puts back the tracer that listened before
 */
export function setTracer(tracer: Tracer | undefined): () => void {
  const before = trace
  trace = tracer
  return () => {
    trace = before
  }
}
