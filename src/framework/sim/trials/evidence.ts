/**
 * What a failed run leaves behind for whoever has to find out why: the last events, and what was still waited for.
 *
 * No ancestor. It listens to the trace, so it is switched on only when the run that failed is repeated.
 */
import { type Fields, type Kind, type Seq, setTracer, type Tracer } from '../../trace/hook.ts'
import { Recorder, type TraceEvent } from '../../trace/recorder.ts'
import type { Sim } from '../sim.ts'

const mostEvents = 40
const mostPending = 10
/** What belongs to the framework's own doings and explains little. */
const uninteresting = /^(d\.|end$|bytes\.(sent|arrive)|timer\.|flow)/

export class Evidence implements Tracer {
  readonly #recorder: Recorder
  readonly #pending = new Map<object, string>()
  #sim: Sim | undefined
  #events: TraceEvent[] = []
  /** Which host each process is of. */
  readonly #names = new Map<string, string>()

  constructor() {
    const wrote = (event: TraceEvent): void => {
      if (event.k === 'proc') this.#names.set(event.on, String(event['name']))
      if (uninteresting.test(event.k)) return
      this.#events.push(event)
      if (this.#events.length > 4 * mostEvents) this.#events = this.#events.slice(-mostEvents)
    }
    this.#recorder = new Recorder({ now: () => this.#sim?.now ?? 0, detail: 1, maxEvents: 1, wrote })
  }

  /** Listens while `run` runs. @param run calls what it is handed with the world that it makes */
  async collect(run: (see: (sim: Sim) => void) => PromiseLike<unknown>): Promise<void> {
    const restore = setTracer(this)
    try {
      await run((sim) => {
        this.#sim = sim
      })
    } finally {
      restore()
    }
  }

  at(kind: Kind, on: object, fields?: Fields, by?: Seq): Seq {
    if (kind === 'd.new') this.#pending.set(on, madeAt())
    return this.#recorder.at(kind, on, fields, by)
  }

  begin(kind: Kind, on: object, fields?: Fields, by?: Seq): Seq {
    if (kind === 'd.fire') this.#pending.delete(on)
    return this.#recorder.begin(kind, on, fields, by)
  }

  end(begin: Seq, fields?: Fields): void {
    this.#recorder.end(begin, fields)
  }

  id(on: object): string {
    return this.#recorder.id(on)
  }

  mark(on: object, seq: Seq): void {
    this.#recorder.mark(on, seq)
  }

  marked(on: object): Seq | undefined {
    return this.#recorder.marked(on)
  }

  /** The last events, one a line: when, where, what, to whom. */
  lastEvents(): string[] {
    return this.#events.slice(-mostEvents).map(({ t, p, k, on, seq: _seq, up: _up, by: _by, ...fields }) => {
      const said = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`)
      return [`${(t / 1000).toFixed(3)} ms`.padStart(16), (this.#names.get(p) ?? p).padEnd(8), k, on, ...said].join(' ')
    })
  }

  /** The Deferreds that have not fired: where they were made, the most frequent place first. */
  pending(): string[] {
    const counts = new Map<string, number>()
    for (const place of this.#pending.values()) counts.set(place, (counts.get(place) ?? 0) + 1)
    const most = [...counts].sort(([, one], [, other]) => other - one).slice(0, mostPending)
    return most.map(([place, count]) => `${count} × ${place}`)
  }
}

/** The first line of the stack that is not the Deferred's own business. */
function madeAt(): string {
  const lines = (new Error('here').stack ?? '').split('\n').slice(1)
  return lines.find((line) => !/(evidence|linter|deferred|hook|wrapping)\.[jt]s/.test(line))?.trim() ?? 'somewhere'
}
