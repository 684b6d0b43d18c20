/** The same world on Deferred itself. */
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { AlreadyCalledError, CancelledError, TimeoutError } from '../../src/framework/deferred/errors.ts'
import { Failure } from '../../src/framework/deferred/failure.ts'
import { setReporter } from '../../src/framework/deferred/reporter.ts'
import { flushUnhandled, setUnhandledScheduler } from '../../src/framework/deferred/unhandled.ts'
import { FakeClock } from './fake-clock.ts'
import type { Behaviour, CancelKind, Op, World } from './world.ts'

export class RealWorld implements World {
  readonly log: string[] = []
  readonly #all: Deferred<unknown>[] = [this.#make('none')]
  readonly #clock = new FakeClock()
  #due: (() => void)[] = []
  #lost: string[] = []
  readonly #restore: (() => void)[]

  constructor() {
    this.#restore = [
      setUnhandledScheduler((report) => this.#due.push(report)),
      setReporter(({ error, what, subject }) => {
        if (what === 'A canceller threw') this.log.push('report canceller')
        else this.#lost.push(`report ${this.#all.indexOf(subject as Deferred<unknown>)} ${nameOf(error)}`)
      }),
    ]
  }

  close(): void {
    flushUnhandled()
    for (const restore of this.#restore) restore()
  }

  do(op: Op): void {
    if (op.op === 'new') this.#all.push(this.#make(op.canceller))
    else if (op.op === 'advance') this.#clock.advance(op.ms)
    else if (op.op === 'turn') this.#turn()
    else this.#doTo(this.#at(op.i), op)
  }

  describe(): string {
    return this.#all.map((d) => String(d).replaceAll(/failed: \w*Error: (.*?)(?=[,}]| })/g, named)).join('\n')
  }

  #at(i: number): Deferred<unknown> {
    return this.#all[i % this.#all.length]!
  }

  #make(kind: CancelKind): Deferred<unknown> {
    if (kind === 'none') return new Deferred<unknown>()
    return new Deferred<unknown>((d) => {
      if (kind === 'value') d.callback(99)
      if (kind === 'error') d.errback(new Error('hung up'))
      if (kind === 'throw') throw new Error('canceller')
    })
  }

  #doTo(d: Deferred<unknown>, op: Exclude<Op, { op: 'new' | 'advance' | 'turn' }>): void {
    if (op.op === 'add') this.#add(d, op.cb, op.eb)
    else if (op.op === 'callback') this.#try(() => d.callback(op.v))
    else if (op.op === 'errback') this.#try(() => d.errback(new Error(`E${op.v}`)))
    else if (op.op === 'cancel') d.cancel()
    else if (op.op === 'pause') d.pause()
    else if (op.op === 'unpause') this.#try(() => d.unpause())
    else if (op.op === 'look') {
      const say = (what: unknown) => this.log.push(`look ${this.#all.indexOf(d)} ${String(what)}`)
      d['@@observable']().subscribe({ next: say, error: (error) => say(nameOf(error)) })
    } else d.addTimeout(op.ms, this.#clock)
  }

  #add(d: Deferred<unknown>, cb: Behaviour | undefined, eb: Behaviour | undefined): void {
    const callback = cb && ((value: unknown) => this.#behave(cb, value, d))
    const errback = eb && ((failure: Failure) => this.#behave(eb, failure, d))
    if (callback && errback) d.addCallbacks(callback, errback)
    else if (callback) d.addCallback(callback)
    else if (errback) d.addErrback(errback)
    else d.addCallbacks(undefined as never, undefined as never)
  }

  #behave(b: Behaviour, given: unknown, d: Deferred<unknown>): unknown {
    const what = given instanceof Failure ? nameOf(given.value) : String(given)
    this.log.push(`run ${this.#all.indexOf(d)} ${b.do} ${what}`)
    if (b.do === 'value') return b.v
    if (b.do === 'throw') throw new Error(`E${b.v}`)
    if (b.do === 'failure') return new Failure(new Error(`E${b.v}`))
    if (b.do === 'pass') return given
    if (b.do === 'wait') return this.#at(b.on)
    this.do(b.act)
    return undefined
  }

  #try(f: () => void): void {
    try {
      f()
    } catch (error) {
      this.log.push(error instanceof AlreadyCalledError ? 'already called' : 'unpause: no')
    }
  }

  #turn(): void {
    const due = this.#due
    this.#due = []
    for (const report of due) report()
    this.log.push(...this.#lost.sort())
    this.#lost = []
  }
}

function nameOf(error: unknown): string {
  if (error instanceof CancelledError) return 'Cancelled'
  if (error instanceof TimeoutError) return 'Timeout'
  if (error instanceof TypeError) return 'Circle'
  return (error as Error).message
}

function named(whole: string, message: string): string {
  if (whole.startsWith('failed: CancelledError')) return 'failed: Cancelled'
  if (whole.startsWith('failed: TimeoutError')) return 'failed: Timeout'
  if (whole.startsWith('failed: TypeError')) return 'failed: Circle'
  return `failed: ${message.trim()}`
}
