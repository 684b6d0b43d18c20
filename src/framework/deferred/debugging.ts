/**
 * Remembers, while it is switched on, where each Deferred was made and where it was fired, for the messages that say so.
 *
 * Ancestor: `twisted.internet.defer.setDebugging` and `DebugInfo`. Off by default; off, it costs one comparison.
 */

/** Where things happened to one Deferred, as lines of a stack. */
interface Sites {
  readonly made: string
  fired?: string
}

/** Asked by Deferred at its two moments; `undefined` while debugging is off. */
export interface Debugging {
  made(deferred: object): void
  fired(deferred: object): void
}

let sites = new WeakMap<object, Sites>()

function made(deferred: object): void {
  sites.set(deferred, { made: stackAbove(made) })
}

function fired(deferred: object): void {
  const known = sites.get(deferred)
  if (known !== undefined) known.fired = stackAbove(fired)
}

/** The hook: `debugging?.made(this)`. A live binding. */
export let debugging: Debugging | undefined

/**
 * Switches on or off that Deferreds remember where they were made and fired. AlreadyCalledError then shows both, and
 * reports of unhandled failures show the first. It costs a stack trace for each; Deferreds made while it is off stay
 * unknown.
 *
 * @returns a function that puts it back as it was
 */
export function setDebugging(on: boolean): () => void {
  const before = debugging
  debugging = on ? { made, fired } : undefined
  if (!on) sites = new WeakMap()
  return () => {
    debugging = before
  }
}

/** Is it on? */
export function getDebugging(): boolean {
  return debugging !== undefined
}

/** Where `deferred` was made, if that is known. */
export function site(deferred: object): string | undefined {
  return sites.get(deferred)?.made
}

/** What AlreadyCalledError says about `deferred`: where it was made and fired, or how to find out. */
export function history(deferred: object): string {
  const known = sites.get(deferred)
  if (known === undefined) return 'setDebugging(true) shows where it was made and where it was fired first'
  return `it was made\n${known.made}\n  and fired first\n${known.fired ?? '    (while debugging was off)'}\n  and now`
}

/** The user's frames: those of Deferred itself, which come first, say nothing new. */
function stackAbove(caller: (deferred: object) => void): string {
  const holder: { stack?: string } = {}
  if (typeof Error.captureStackTrace === 'function') Error.captureStackTrace(holder, caller)
  else holder.stack = new Error('here').stack ?? ''
  const frames = (holder.stack ?? '').split('\n').slice(1)
  const own = frames.findIndex((frame) => !/at (new )?Deferred\b/.test(frame))
  return frames.slice(Math.max(0, own)).join('\n')
}
