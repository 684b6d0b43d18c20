/**
 * A little world of numbered Deferreds, and all that can be done to them: written twice, once on Deferred itself
 * (real-world.ts) and once on a reference model (reference-model.ts) that is short and slow, and recursive where the
 * real one is not. The property test does the same to both and compares.
 */

/** What a callback or an errback does when it is called. */
export type Behaviour =
  | { readonly do: 'value'; readonly v: number }
  | { readonly do: 'throw'; readonly v: number }
  | { readonly do: 'failure'; readonly v: number }
  | { readonly do: 'pass' }
  | { readonly do: 'wait'; readonly on: number }
  | { readonly do: 'act'; readonly act: Op }

/** What a canceller does. */
export type CancelKind = 'none' | 'idle' | 'value' | 'error' | 'throw'

/** One thing that is done. `i` and `on` count round, so that every number names a Deferred. */
export type Op =
  | { readonly op: 'new'; readonly canceller: CancelKind }
  | { readonly op: 'add'; readonly i: number; readonly cb?: Behaviour | undefined; readonly eb?: Behaviour | undefined }
  | { readonly op: 'callback'; readonly i: number; readonly v: number }
  | { readonly op: 'errback'; readonly i: number; readonly v: number }
  | { readonly op: 'cancel'; readonly i: number }
  | { readonly op: 'pause'; readonly i: number }
  | { readonly op: 'unpause'; readonly i: number }
  | { readonly op: 'look'; readonly i: number }
  | { readonly op: 'timeout'; readonly i: number; readonly ms: number }
  | { readonly op: 'advance'; readonly ms: number }
  | { readonly op: 'turn' }

/** A world: it does, it logs, and it says how each of its Deferreds stands. */
export interface World {
  readonly log: string[]
  do(op: Op): void
  describe(): string
}
