/**
 * A Recorder writes down everything that happens, as a list of events from which pictures and checks are made.
 *
 * No ancestor in Twisted. It is the usual Tracer: `const restore = setTracer(new Recorder({ now }))`, run something,
 * `restore()`, read `recorder.events`. Grammar of a span: `begin at* end`; spans nest.
 */

import type { Fields, Kind, Seq, Tracer } from './hook.ts'
import { cut, preview } from './preview.ts'

/** One thing that happened. It is JSON-safe; fields that depend on the kind stand beside these. */
export interface TraceEvent {
  /** 1, 2, 3, …: the order, and the event's identity. */
  readonly seq: Seq
  /** Microseconds since the recorder was made, a whole number. */
  readonly t: number
  /** The process it happened in: `p1`. */
  readonly p: string
  /** What happened; `end` closes the span that event `of` opened. */
  readonly k: Kind | 'end'
  /** The subject's short name: `d4`, `c3`, `t7`. */
  readonly on: string
  /** Who called: the innermost open span, or 0 for the reactor's loop. */
  readonly up: Seq
  /** Why now: the event that scheduled or enabled this one. */
  readonly by?: Seq
  readonly [field: string]: unknown
}

/** How much a recorder writes down. */
export interface RecorderOptions {
  /** The time in milliseconds, as `clock.now()` says it. */
  readonly now: () => number
  /** 1: sizes and Deferreds, no payload; 2: values and data too; 3: and where Deferreds were made, fired and added to. */
  readonly detail?: 1 | 2 | 3
  /** Only the newest so many events are kept. */
  readonly maxEvents?: number
  /** Told of each event when it is written down, to put it into a file for example. */
  readonly wrote?: (event: TraceEvent) => void
}

interface Span {
  readonly seq: Seq
  readonly on: string
  readonly p: string
}

const payload = new Set(['v', 'in', 'data', 'text'])
const sited = new Set<string>(['d.new', 'd.add', 'd.fire', 'timer.set'])
/** Fields that name other subjects, with the letter of their kind. */
const references: Readonly<Record<string, string>> = { inner: 'd', chain: 'd', of: 'd', parent: 'o', pair: 'c' }
const letters: Readonly<Record<string, string>> = {
  d: 'd',
  timer: 't',
  listen: 'l',
  unlisten: 'l',
  rx: 'o',
  service: 's',
}

/** Listens, and remembers. */
export class Recorder implements Tracer {
  readonly #now: () => number
  readonly #start: number
  readonly #detail: number
  readonly #maxEvents: number
  readonly #wrote: ((event: TraceEvent) => void) | undefined
  #ring: TraceEvent[] = []
  #seq = 0
  #open: Span[] = []
  #process = 'p1'
  readonly #ids = new WeakMap<object, string>()
  readonly #counts = new Map<string, number>()
  readonly #processes = new WeakMap<object, string>()
  readonly #marks = new WeakMap<object, Seq>()

  constructor({ now, detail = 2, maxEvents = Infinity, wrote }: RecorderOptions) {
    this.#now = now
    this.#start = now()
    this.#detail = detail
    this.#maxEvents = Math.max(1, maxEvents)
    this.#wrote = wrote
  }

  /** What happened, oldest first: a fresh array. */
  get events(): readonly TraceEvent[] {
    const oldest = this.dropped % Math.max(1, this.#ring.length)
    return [...this.#ring.slice(oldest), ...this.#ring.slice(0, oldest)]
  }

  /** How many events were forgotten, to keep `maxEvents`. */
  get dropped(): number {
    return this.#seq - this.#ring.length
  }

  at(kind: Kind, on: object, fields?: Fields, by?: Seq): Seq {
    return this.#record(kind, on, fields, by).seq
  }

  begin(kind: Kind, on: object, fields?: Fields, by?: Seq): Seq {
    const event = this.#record(kind, on, fields, by)
    this.#open.push(event)
    return event.seq
  }

  end(begin: Seq, fields?: Fields): void {
    if (!this.#open.some((span) => span.seq === begin)) return
    for (let span = this.#open.pop(); span !== undefined; span = this.#open.pop()) {
      const last = span.seq === begin
      this.#write({ p: span.p, k: 'end', on: span.on, up: span.seq, ...(last ? this.#safe(fields) : {}), of: span.seq })
      if (last) return
    }
  }

  id(on: object): string {
    return this.#idOf(on, 'x')
  }

  mark(on: object, seq: Seq): void {
    this.#marks.set(on, seq)
  }

  marked(on: object): Seq | undefined {
    return this.#marks.get(on)
  }

  #record(k: Kind, on: object, fields: Fields | undefined, by: Seq | undefined): TraceEvent {
    const [family = k] = k.split('.')
    const letter = letters[family] ?? (/^(conn|bytes|buf|flow|frame)/.test(k) ? 'c' : 'p')
    const id = this.#idOf(on, letter)
    if (k === 'proc') this.#process = id
    const site = this.#detail >= 3 && sited.has(k) ? stack() : undefined
    const p = this.#processOf(on, k === 'proc' ? on : fields?.['p'])
    const up = this.#open.at(-1)?.seq ?? 0
    const event = { p, k, on: id, up, ...(by === undefined ? {} : { by }), ...this.#safe(fields) }
    return this.#write(site === undefined ? event : { ...event, site })
  }

  /** A subject stays in the process where it was seen first, unless an event says otherwise. */
  #processOf(on: object, given: unknown): string {
    const told = typeof given === 'object' && given !== null ? this.#idOf(given, 'p') : given
    const p = typeof told === 'string' ? told : (this.#processes.get(on) ?? this.#open.at(-1)?.p ?? this.#process)
    this.#processes.set(on, p)
    return p
  }

  #idOf(on: object, letter: string): string {
    let id = this.#ids.get(on)
    if (id === undefined) {
      const count = (this.#counts.get(letter) ?? 0) + 1
      this.#counts.set(letter, count)
      this.#ids.set(on, (id = `${letter}${count}`))
    }
    return id
  }

  #safe(fields: Fields = {}): Record<string, unknown> {
    const safe: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(fields)) {
      if (key === 'p' || value === undefined || (this.#detail < 2 && payload.has(key))) continue
      const letter = references[key]
      if (letter !== undefined && Array.isArray(value)) safe[key] = value.map((one: object) => this.#idOf(one, letter))
      else if (letter !== undefined && typeof value === 'object' && value !== null)
        safe[key] = this.#idOf(value, letter)
      else safe[key] = typeof value === 'string' && !payload.has(key) ? cut(value) : this.#known(value)
    }
    return safe
  }

  /** A value that is a subject itself, by its short name. */
  #known(value: unknown): unknown {
    return (typeof value === 'object' && value !== null ? this.#ids.get(value) : undefined) ?? preview(value)
  }

  #write(event: Omit<TraceEvent, 'seq' | 't'>): TraceEvent {
    const seq = ++this.#seq
    const whole = { seq, t: Math.round((this.#now() - this.#start) * 1000), ...event } as TraceEvent
    this.#ring[this.#ring.length < this.#maxEvents ? this.#ring.length : (seq - 1) % this.#maxEvents] = whole
    this.#wrote?.(whole)
    return whole
  }
}

/** Where the program was, without the recorder's own three frames. */
function stack(): string {
  return (new Error('here').stack ?? '').split('\n').slice(4, 10).join('\n')
}
