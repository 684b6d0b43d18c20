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

/** Opens the span of one stage's run; which side it is follows from what it is given. */
export function traceRun(tracer: Tracer, on: object, stage: Stage<unknown>, given: unknown): Seq {
  const { index: i, add } = stage
  const { ok, v } = outcome(given)
  const fn = (ok ? stage.callback : stage.errback)?.name
  return tracer.begin('d.run', on, { i, side: ok ? 'callback' : 'errback', fn, in: v, add }, tracer.marked(on))
}
