/**
 * One link of a Deferred's chain: what to do with a value, what to do with a failure, or whom to hand either to.
 *
 * Ancestor: the pairs in `Deferred.callbacks` of `twisted.internet.defer`, and its `_CONTINUE`. Stages are linked to
 * each other rather than kept in an array: a second `push` makes room for 17 elements, which is most of what a pending
 * Deferred would weigh (measured in bench/deferred.ts).
 */

import type { Seq } from '../trace/hook.ts'

/** A callback or an errback, as the chain calls it: with its result, one argument. */
export type Step = (result: unknown) => unknown

/** A stage of one Deferred; `Outer` is the class of the Deferred that waits for it, where one does. */
export class Stage<Outer> {
  readonly callback: Step | undefined
  readonly errback: Step | undefined
  /** Who takes the result over, in place of a callback. */
  readonly outer: Outer | undefined
  /** Its place in the chain, from 0, counting the stages that are gone; -1 for those who wait. */
  readonly index: number
  /** The trace's event that tells of its adding, or 0. */
  readonly add: Seq
  next: Stage<Outer> | undefined = undefined

  constructor(
    callback: Step | undefined,
    errback: Step | undefined,
    outer: Outer | undefined,
    index: number,
    add: Seq,
  ) {
    this.callback = callback
    this.errback = errback
    this.outer = outer
    this.index = index
    this.add = add
  }
}
