/**
 * One link of a Deferred's chain: what to do with a value, what to do with a failure, or whom to hand either to.
 *
 * Ancestor: the pairs in `Deferred.callbacks` of `twisted.internet.defer`, and its `_CONTINUE`. Stages are linked to
 * each other rather than kept in an array: a second `push` makes room for 17 elements, which is most of what a pending
 * Deferred would weigh. What the trace wants to know of a stage, traced.ts keeps, while somebody listens.
 */

/** A callback or an errback, as the chain calls it: with its result, one argument. */
export type Step = (result: unknown) => unknown

/** A stage of one Deferred; `Outer` is the class of the Deferred that waits for it, where one does. */
export class Stage<Outer> {
  readonly callback: Step | undefined
  readonly errback: Step | undefined
  /** Who takes the result over, in place of a callback. */
  readonly outer: Outer | undefined
  next: Stage<Outer> | undefined = undefined

  constructor(callback: Step | undefined, errback: Step | undefined, outer: Outer | undefined) {
    this.callback = callback
    this.errback = errback
    this.outer = outer
  }
}
