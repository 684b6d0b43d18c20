/**
 * The rules that every trace keeps, whoever wrote the programs: bytes leave after they were written and arrive once,
 * hooks come between made and lost, a Deferred fires once and runs its stages in their order, timers are never early.
 *
 * No ancestor in Twisted. An automaton for each subject, which is told of every event and remembers only what the next
 * one is held to. A subject is a short name where a record is read, and the object itself while a world runs.
 */
import type { Kind, Seq } from './hook.ts'
import { type Complain, ConnectionLife, DeferredLife, FramesLife, type Life, TimerLife } from './lives.ts'

/** A rule that a trace broke. */
export interface Complaint {
  /** The event that broke it. */
  readonly seq: Seq
  /** Whom it happened to: the short name in a record; the class's name while a world runs. */
  readonly on: string
  /** What is wrong with it, in a sentence. */
  readonly what: string
}

/** What else is known of an event: the fields of it, under their names. */
export type Told = Readonly<Record<string, unknown>>

/** What the rules have to be told. */
export interface RulesOptions {
  /** The time of a process in milliseconds: of the one that an event of the trace names, as it names it. */
  readonly now: (process: unknown) => number
  /** Whether whatever happens to subjects that were not seen to begin is wrong. */
  readonly whole: boolean
  /** Told of each rule that is broken. */
  readonly complain: (complaint: Complaint) => void
}

interface Sending {
  readonly from: ConnectionLife
  readonly off: number
  readonly n: number
}

/** Holds events to the rules, one after the other. */
export class TraceRules {
  readonly #now: (process: unknown) => number
  readonly #whole: boolean
  readonly #lives = new Map<unknown, Life>()
  /** The spans that are open, and of each the Deferred whose stage it is. */
  readonly #open: Seq[] = []
  readonly #stages: (DeferredLife | undefined)[] = []
  /** Until when each process is busy, in milliseconds. */
  readonly #busy = new Map<unknown, number>()
  /** Bytes that have left and have not all arrived, by the event of their leaving. */
  readonly #sendings = new Map<Seq, Sending>()
  readonly #complainTo: (complaint: Complaint) => void
  readonly #complain: Complain
  #seq: Seq = 0
  #on: unknown
  /** What was looked up last: events of one subject come together. */
  #life: Life | undefined

  constructor({ now, whole, complain }: RulesOptions) {
    this.#now = now
    this.#whole = whole
    this.#complainTo = complain
    this.#complain = (what) => complain({ seq: this.#seq, on: nameOf(this.#on), what })
  }

  /** The innermost span that is open, or 0. */
  get innermost(): Seq {
    const { length } = this.#open
    return length === 0 ? 0 : this.#open[length - 1]!
  }

  /** Something happened at one instant. */
  at(seq: Seq, kind: Kind, on: unknown, told: Told, by: Seq | undefined): void {
    this.#seq = seq
    if (on !== this.#on) this.#life = this.#lives.get((this.#on = on))
    if (by !== undefined && (by >= seq || by < 1)) this.#complain(`its cause is ${by}, which has not happened`)
    switch (kind) {
      case 'bytes.recv':
        this.#connection()?.received(told['off'] as number, told['n'] as number, this.#complain)
        break
      case 'bytes.arrive':
        this.#arrive(told['off'] as number, told['n'] as number, by)
        break
      case 'bytes.write':
        this.#connection()?.write(told['off'] as number, told['n'] as number, this.#complain)
        break
      case 'bytes.sent':
        this.#sent(told['off'] as number, told['n'] as number)
        break
      case 'frame.in':
        this.#frames().frame(told['off'] as number, told['n'] as number, this.#complain)
        break
      case 'conn.open':
        this.#begins(new ConnectionLife(told['p']))
        break
      case 'conn.made':
      case 'conn.half':
      case 'conn.close':
      case 'conn.lost':
        this.#connection()?.becomes(kind, this.#complain)
        break
      case 'timer.set':
        this.#begins(new TimerLife(told['p'], this.#now(told['p']) + (told['ms'] as number)))
        break
      case 'timer.reset':
      case 'timer.cancel':
        this.#timer(kind, told)
        break
      case 'd.new':
        this.#begins(new DeferredLife())
        break
      case 'd.add':
      case 'd.pass':
      case 'd.wait':
      case 'd.resume':
        this.#deferred()?.does(kind, told['i'] as number | undefined, this.#complain)
        break
      case 'busy':
        this.#isBusy(told['p'], told['us'] as number)
        break
      default:
    }
  }

  /** A span opened. */
  begin(seq: Seq, kind: Kind, on: unknown, told: Told, by: Seq | undefined): void {
    this.at(seq, kind, on, told, by)
    let stage: DeferredLife | undefined
    if (kind === 'call') {
      this.#call(this.#life, told['what'] as string, told['p'])
    } else if (kind === 'd.run' || kind === 'd.fire') {
      const deferred = this.#deferred()
      deferred?.does(kind, told['i'] as number | undefined, this.#complain)
      if (kind === 'd.run') stage = deferred
    }
    this.#open.push(seq)
    this.#stages.push(stage)
  }

  /** The span that opened with event `begin` closed. */
  end(seq: Seq, begin: Seq, on: unknown): void {
    this.#seq = seq
    const innermost = this.#open.pop() ?? 0
    const stage = this.#stages.pop()
    if (stage !== undefined) stage.running = false
    if (innermost === begin) return
    if (on !== this.#on) this.#life = this.#lives.get((this.#on = on))
    this.#complain(`span ${begin} closed, and the innermost one that is open is ${innermost || 'none'}`)
    while (this.innermost >= begin && this.innermost > 0) this.#close()
  }

  /** Nothing happens any more, or not in this event of the reactor: every span has to be closed. */
  rest(): void {
    const { innermost } = this
    if (innermost === 0) return
    while (this.innermost > 0) this.#close()
    this.#complainTo({ seq: this.#seq, on: nameOf(this.#on), what: `span ${innermost} never closed` })
  }

  #close(): void {
    this.#open.pop()
    const stage = this.#stages.pop()
    if (stage !== undefined) stage.running = false
  }

  #isBusy(process: unknown, us: number): void {
    this.#busy.set(process, Math.max(this.#now(process), this.#busy.get(process) ?? 0) + us / 1000)
  }

  #call(life: Life | undefined, what: string, given: unknown): void {
    if (life instanceof ConnectionLife) life.called(what, this.#complain)
    else if (life instanceof TimerLife && what === 'timer') life.called(this.#now(life.process), this.#complain)
    else if (this.#whole && what === 'timer' && life === undefined)
      this.#complain('a timer is called that was never set')
    // What a call leads to is a part of it, however long the process is busy then.
    if (this.#open.length > 0 || this.#busy.size === 0) return
    const process = life?.process ?? given
    const until = this.#busy.get(process)
    if (until !== undefined && this.#now(process) < until)
      this.#complain(`${what} was called while its process is busy`)
  }

  #arrive(off: number, n: number, by: Seq | undefined): void {
    const to = this.#connection()
    if (to === undefined) return
    to.arrive(off, n, this.#complain)
    const sending = by === undefined ? undefined : this.#sendings.get(by)
    if (by === undefined || sending === undefined) return
    const end = sending.off + sending.n
    const far = (to.far ??= sending.from)
    if (far !== sending.from || far === to) this.#complain('bytes arrived that another connection has sent')
    if (off < sending.off || off + n > end)
      this.#complain(`bytes ${off} to ${off + n} arrived, and what was sent were ${sending.off} to ${end}`)
    if (off + n >= end) this.#sendings.delete(by)
  }

  #sent(off: number, n: number): void {
    const from = this.#connection()
    from?.sent(off, n, this.#complain)
    if (from !== undefined) this.#sendings.set(this.#seq, { from, off, n })
  }

  #timer(kind: 'timer.reset' | 'timer.cancel', told: Told): void {
    const life = this.#known(TimerLife)
    if (life === undefined) return
    if (kind === 'timer.cancel') life.cancel(this.#complain)
    else life.reset(this.#now(life.process) + (told['ms'] as number), this.#complain)
  }

  #begins(life: Life): void {
    if (this.#life !== undefined) this.#complain('it begins a second time')
    this.#lives.set(this.#on, (this.#life = life))
  }

  #connection(): ConnectionLife | undefined {
    return this.#known(ConnectionLife)
  }

  #deferred(): DeferredLife | undefined {
    return this.#known(DeferredLife)
  }

  /** Frames may be read from a connection, or from a layer over it, which is a stream of its own. */
  #frames(): ConnectionLife | FramesLife {
    if (this.#life instanceof ConnectionLife) return this.#life
    if (this.#life instanceof FramesLife) return this.#life
    const life = new FramesLife()
    this.#lives.set(this.#on, (this.#life = life))
    return life
  }

  /** What was there before the record began may do as it likes. */
  #known<L extends Life>(kind: new (...given: never[]) => L): L | undefined {
    if (this.#life instanceof kind) return this.#life
    if (this.#whole) this.#complain('something happens to it, and it never began')
    return undefined
  }
}

function nameOf(on: unknown): string {
  return typeof on === 'object' && on !== null ? on.constructor.name : String(on)
}
