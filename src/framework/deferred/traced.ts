/**
 * What a Deferred tells the trace where one call is not enough: an event, and that this event is what lets it go on.
 *
 * No ancestor in Twisted. Called only while a tracer listens, as `trace && traceFire(trace, …)`.
 */

import type { Seq, Tracer } from '../trace/hook.ts'
import { Failure } from './failure.ts'
import type { Stage } from './stage.ts'

/** The fields that tell of a result: whether it is a success, and the value or the real error. */
export function outcome(result: unknown): { readonly ok: boolean; readonly v: unknown } {
  return result instanceof Failure ? { ok: false, v: result.value } : { ok: true, v: result }
}

/** Opens the span of a Deferred's firing, which is what enables its stages. */
export function traceFire(tracer: Tracer, on: object, result: unknown): Seq {
  const seq = tracer.begin('d.fire', on, outcome(result))
  tracer.mark(on, seq)
  return seq
}

/** A Deferred goes on with the result of `inner`, which it waited for. */
export function traceResume(tracer: Tracer, on: object, inner: object, result: unknown): void {
  tracer.mark(on, tracer.at('d.resume', on, outcome(result), tracer.marked(inner)))
}

/** What the record knows of a stage: its place in the chain, from 0, and the event of its adding. */
interface Known {
  readonly i: number
  readonly add: Seq
}

/** Kept here, because a field on each stage would cost those who do not listen. */
const known = new WeakMap<object, Known>()
const counts = new WeakMap<object, number>()

/** A stage is added. Stages from before somebody listened have no number. */
export function traceAdd(tracer: Tracer, on: object, stage: Stage<unknown>): void {
  const i = counts.get(on) ?? 0
  counts.set(on, i + 1)
  known.set(stage, { i, add: tracer.at('d.add', on, { i, cb: stage.callback?.name, eb: stage.errback?.name }) })
}

/** A stage has nothing to do with the present result. */
export function tracePass(tracer: Tracer, on: object, stage: Stage<unknown>, failed: boolean): void {
  tracer.at('d.pass', on, { i: known.get(stage)?.i, side: failed ? 'errback' : 'callback' })
}

/** Opens the span of one stage's run; which side it is follows from what it is given. */
export function traceRun(tracer: Tracer, on: object, stage: Stage<unknown>, given: unknown): Seq {
  const { ok, v } = outcome(given)
  const fn = (ok ? stage.callback : stage.errback)?.name
  const { i, add } = known.get(stage) ?? {}
  return tracer.begin('d.run', on, { i, side: ok ? 'callback' : 'errback', fn, in: v, add }, tracer.marked(on))
}
