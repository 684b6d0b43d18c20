/**
 * Says in a line what state a Deferred is in, for `console.log(deferred)` and for messages.
 *
 * Ancestor: `Deferred.__str__` of `twisted.internet.defer`, which says "waiting on" too.
 */

import { Failure } from './failure.ts'

/** The method that Node's `console.log` and `util.inspect` call, if an object has it. */
export const inspectCustom: unique symbol = Symbol.for('nodejs.util.inspect.custom')

/** Node's `util.inspect`, as it is handed to that method. */
export type Inspect = (value: unknown, options: object) => string

/** What there is to say about a Deferred. */
export interface State {
  readonly name: string
  readonly called: boolean
  readonly paused: boolean
  readonly result: unknown
  /** How many stages have not run yet. */
  readonly stages: number
  /** Asked only as deep as it is shown: nests may be 20,000 deep. */
  readonly waitingOn: (() => State) | undefined
}

/** As in `Deferred { waiting for Deferred { pending, 1 callback } }`. Values are shown by `show`. Never throws. */
export function describe(state: State, show: (value: unknown) => string = preview, depth = 3): string {
  if (depth < 0) return `${state.name} { … }`
  const words = [standing(state, show, depth)]
  if (state.paused) words.push('paused')
  if (state.stages > 0) words.push(state.stages === 1 ? '1 callback' : `${state.stages} callbacks`)
  return `${state.name} { ${words.join(', ')} }`
}

function standing(state: State, show: (value: unknown) => string, depth: number): string {
  if (state.waitingOn !== undefined) return `waiting for ${describe(state.waitingOn(), show, depth - 1)}`
  if (!state.called) return 'pending'
  if (state.result instanceof Failure) return state.result.toString().replace('Failure', 'failed')
  return show(state.result)
}

function preview(value: unknown): string {
  try {
    if (typeof value === 'string') return cut(JSON.stringify(value))
    if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'Object'
    return cut(String(value))
  } catch {
    return typeof value
  }
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
