/** The reference: what a Deferred is, in as few words as possible. */
import { FakeClock } from './fake-clock.ts'
import type { Behaviour, CancelKind, Op, World } from './world.ts'

/** A failure is an object of its own, because being looked at is a matter of identity. */
interface Bad {
  readonly error: string
  readonly asked: boolean
  seen: boolean
}
type Result = number | undefined | Bad
type Stage = { cb?: (r: Result) => Result | Model; eb?: (r: Bad) => Result | Model } | { outer: Model }

class Model {
  called = false
  running = false
  cancelling = false
  swallow = false
  paused = 0
  result: Result = undefined
  stages: Stage[] = []
  waitingOn: Model | undefined
  readonly canceller: CancelKind

  constructor(canceller: CancelKind) {
    this.canceller = canceller
  }
}

class Thrown extends Error {
  readonly bad: Bad
  constructor(bad: Bad) {
    super(bad.error)
    this.bad = bad
  }
}

const isBad = (r: Result): r is Bad => typeof r === 'object'
const bad = (error: string, asked = false): Bad => ({ error, asked, seen: false })

export class ReferenceWorld implements World {
  readonly log: string[] = []
  readonly #all: Model[] = [new Model('none')]
  readonly #clock = new FakeClock()

  do(op: Op): void {
    if (op.op === 'new') this.#all.push(new Model(op.canceller))
    else if (op.op === 'advance') this.#clock.advance(op.ms)
    else if (op.op === 'turn') this.#turn()
    else this.#doTo(this.#at(op.i), op)
  }

  describe(): string {
    return this.#all.map((d) => this.#text(d, 3)).join('\n')
  }

  #at(i: number): Model {
    return this.#all[i % this.#all.length]!
  }

  #doTo(d: Model, op: Exclude<Op, { op: 'new' | 'advance' | 'turn' }>): void {
    if (op.op === 'add') {
      const { cb, eb } = op
      this.#add(d, {
        ...(cb && { cb: (r: Result) => this.#behave(cb, r, d) }),
        ...(eb && { eb: (r: Bad) => this.#behave(eb, r, d) }),
      })
    } else if (op.op === 'callback') this.#tryFire(d, op.v)
    else if (op.op === 'errback') this.#tryFire(d, bad(`E${op.v}`))
    else if (op.op === 'cancel') this.#cancel(d, true)
    else if (op.op === 'pause') d.paused++
    else if (op.op === 'unpause') {
      if (d.paused > 0) {
        d.paused--
        this.#run(d)
      } else this.log.push('unpause: no')
    } else if (op.op === 'look') {
      const look = (r: Result): Result => {
        this.log.push(`look ${this.#all.indexOf(d)} ${isBad(r) ? r.error : r}`)
        if (isBad(r)) r.seen = true
        return r
      }
      this.#add(d, { cb: look, eb: look })
    } else {
      let timedOut = false
      const call = this.#clock.callLater(op.ms, () => {
        timedOut = true
        this.#cancel(d, false)
      })
      const translate = (r: Result): Result => {
        call.cancel()
        return timedOut && isBad(r) && r.error === 'Cancelled' ? bad('Timeout') : r
      }
      this.#add(d, { cb: translate, eb: translate })
    }
  }

  #behave(b: Behaviour, r: Result, d: Model): Result | Model {
    this.log.push(`run ${this.#all.indexOf(d)} ${b.do} ${isBad(r) ? r.error : r}`)
    if (b.do === 'value') return b.v
    if (b.do === 'throw') throw new Thrown(bad(`E${b.v}`))
    if (b.do === 'failure') return bad(`E${b.v}`)
    if (b.do === 'pass') return r
    if (b.do === 'wait') return this.#at(b.on)
    this.do(b.act)
    return undefined
  }

  #add(d: Model, stage: Stage): void {
    d.stages.push(stage)
    this.#run(d)
  }

  #tryFire(d: Model, result: Result): void {
    if (!d.called) this.#fire(d, result)
    else if (d.swallow) d.swallow = false
    else this.log.push('already called')
  }

  #fire(d: Model, result: Result): void {
    d.called = true
    d.result = result
    this.#run(d)
  }

  #run(d: Model): void {
    if (!d.called || d.running) return
    while (d.stages.length > 0 && d.paused === 0 && d.waitingOn === undefined) {
      const stage = d.stages.shift()!
      if ('outer' in stage) {
        stage.outer.waitingOn = undefined
        stage.outer.result = d.result
        d.result = undefined
        this.#run(stage.outer)
        continue
      }
      const f = (isBad(d.result) ? stage.eb : stage.cb) as ((r: Result) => Result | Model) | undefined
      if (f === undefined) continue
      d.running = true
      let next: Result | Model
      try {
        next = f(d.result)
      } catch (error) {
        next = (error as Thrown).bad
      }
      d.running = false
      if (next instanceof Model) this.#wait(d, next)
      else d.result = next
    }
  }

  #wait(d: Model, inner: Model): void {
    d.result = undefined
    for (let link: Model | undefined = inner; link !== undefined; link = link.waitingOn) {
      if (link !== d) continue
      d.result = bad('Circle')
      return
    }
    const done = inner.called && !inner.running && inner.stages.length === 0 && inner.paused === 0 && !inner.waitingOn
    if (done) {
      d.result = inner.result
      inner.result = undefined
    } else {
      d.waitingOn = inner
      inner.stages.push({ outer: d })
    }
  }

  #cancel(d: Model, asked: boolean): void {
    if (d.waitingOn !== undefined) return this.#cancel(d.waitingOn, asked)
    if (d.called || d.cancelling) return
    d.cancelling = true
    if (d.canceller === 'none') d.swallow = true
    if (d.canceller === 'value') this.#fire(d, 99)
    if (d.canceller === 'error') this.#fire(d, bad('hung up'))
    if (d.canceller === 'throw') this.log.push('report canceller')
    if (!d.called) this.#fire(d, bad('Cancelled', asked))
    d.cancelling = false
  }

  /** Whose chain ends in a failure that nobody looked at, and that nobody asked for, has it reported. */
  #turn(): void {
    const lost: string[] = []
    for (const [i, d] of this.#all.entries()) {
      const { result: r } = d
      if (!isBad(r) || r.seen || r.asked || d.stages.length > 0 || d.paused > 0 || !d.called) continue
      r.seen = true
      lost.push(`report ${i} ${r.error}`)
    }
    this.log.push(...lost.sort())
  }

  #text(d: Model, depth: number): string {
    if (depth < 0) return 'Deferred { … }'
    const r = d.result
    const shown = d.called ? (isBad(r) ? `failed: ${r.error}` : String(r)) : 'pending'
    const words = [d.waitingOn === undefined ? shown : `waiting for ${this.#text(d.waitingOn, depth - 1)}`]
    if (d.paused > 0) words.push('paused')
    const { length } = d.stages
    if (length > 0) words.push(length === 1 ? '1 callback' : `${length} callbacks`)
    return `Deferred { ${words.join(', ')} }`
  }
}
