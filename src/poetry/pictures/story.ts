/**
 * What became of each poem that somebody asked for, read out of the record of what happened. Timelines and prose are
 * both made from this.
 *
 * The record knows connections and Deferreds; which of them belong to which poem it is told by a few marks
 * ({@link getRecorded}). Neutral and pure: events in, facts out. No ancestor.
 */
import type { ClientEndpoint, Deferred, Recorder, Seq, TraceEvent, Transport } from 'couplet'
import { getPoetryBytes, type GetPoetryOptions } from '../poetry-client.ts'

/** Something that happened to a poem, in milliseconds since the first one was asked for. */
export interface Moment {
  readonly ms: number
  /** Its place in the record. */
  readonly seq: Seq
}

/** Bytes that arrived. */
export interface Piece extends Moment {
  readonly bytes: number
}

/** One poem that was asked for. What has not happened is not there. */
export interface Task {
  readonly name: string
  readonly asked: Moment
  readonly connected?: Moment
  readonly pieces: readonly Piece[]
  readonly whole?: Moment
  readonly transformed?: Moment
  readonly failed?: Moment & { readonly why: string }
}

/** What a mark may say happened. */
type What = 'asked' | 'connected' | 'whole' | 'transformed' | 'failed'

/**
 * Gets a poem as `getPoetryBytes` does, and has it written down that this is the poem called `name`.
 *
 * @param recorder is listening; without one, nothing is written
 */
export function getRecorded(
  recorder: Recorder | undefined,
  name: string,
  endpoint: ClientEndpoint,
  options: GetPoetryOptions = {},
): Deferred<Uint8Array> {
  if (recorder === undefined) return getPoetryBytes(endpoint, options)
  // A connection may be made before we have the Deferred that it belongs to.
  const known: { poem?: Deferred<Uint8Array>; transport?: Transport } = {}
  const connected = (transport: Transport): void => {
    known.transport = transport
    if (known.poem !== undefined) mark(recorder, known.poem, 'connected', { conn: recorder.id(transport) })
    options.connected?.(transport)
  }
  const poem = getPoetryBytes(endpoint, { ...options, connected })
  known.poem = poem
  mark(recorder, poem, 'asked', { label: name })
  if (known.transport !== undefined) mark(recorder, poem, 'connected', { conn: recorder.id(known.transport) })
  return poem.addCallbacks(
    function whole(bytes) {
      mark(recorder, poem, 'whole')
      return bytes
    },
    function notWhole(failure) {
      markFailed(recorder, poem, failure.value)
      return failure
    },
  )
}

/** Writes down that a poem, as {@link getRecorded} gave it, was transformed. */
export function markTransformed(recorder: Recorder | undefined, poem: object): void {
  if (recorder !== undefined) mark(recorder, poem, 'transformed')
}

/** Writes down that a poem will not come to a good end; only the first reason counts. */
export function markFailed(recorder: Recorder | undefined, poem: object, error: unknown): void {
  if (recorder !== undefined) mark(recorder, poem, 'failed', { why: error instanceof Error ? error.message : error })
}

function mark(recorder: Recorder, poem: object, what: What, fields: Record<string, unknown> = {}): void {
  recorder.at('mark', poem, { what, ...fields })
}

/** Everything that became of some poems. */
export interface Story {
  /** In the order in which they were asked for. */
  readonly tasks: readonly Task[]
  /** When the record ends, in milliseconds since the first poem was asked for. */
  readonly now: number
}

/** Finds the poems in a record. */
export function storyOf(events: readonly TraceEvent[]): Story {
  const tasks = new Map<string, Mutable>()
  const byConnection = new Map<string, Mutable>()
  const start = events.find(({ k, what }) => k === 'mark' && what === 'asked')?.t ?? 0
  for (const event of events) {
    const { k, on, t, seq } = event
    const moment = { ms: (t - start) / 1000, seq }
    if (k === 'bytes.recv') byConnection.get(on)?.pieces.push({ ...moment, bytes: Number(event['n']) })
    if (k !== 'mark') continue
    const what = event['what'] as What
    if (what === 'asked') tasks.set(on, { name: String(event['label']), asked: moment, pieces: [] })
    const task = tasks.get(on)
    if (task === undefined) continue
    if (what === 'connected') byConnection.set(String(event['conn']), task)
    if (what === 'failed') task.failed ??= { ...moment, why: String(event['why']) }
    else task[what] ??= moment
  }
  return { tasks: [...tasks.values()], now: ((events.at(-1)?.t ?? start) - start) / 1000 }
}

type Mutable = { -readonly [Key in keyof Task]: Task[Key] } & { readonly pieces: Piece[] }

/** When nothing more happened to a poem; `now`, for one that is still on its way. */
export function endOf({ failed, transformed, whole, pieces }: Task, now: number): number {
  return (failed ?? transformed ?? whole)?.ms ?? Math.max(now, pieces.at(-1)?.ms ?? 0)
}
