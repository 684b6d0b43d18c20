/**
 * Adds to an error's stack where the generators were that it was thrown into, as V8 does for `async` functions.
 *
 * Ancestor: `Failure.throwExceptionIntoGenerator`. Costs nothing until something fails.
 */

/** Names the frame below which the frames of a generator end; inlineCallbacks resumes it in a function of this name. */
const driver = 'resumeGenerator'

/** So many generators are noted for one error; an error may come through thousands, or through one again and again. */
const mostStations = 32

const stations = new WeakMap<Error, number>()

/** Called inside `yield*`, whose generator's callers are the user's generators. Changes `error.stack` only. */
export function addWhere(error: unknown): void {
  if (!(error instanceof Error) || typeof Error.captureStackTrace !== 'function') return
  const station = stations.get(error) ?? 0
  if (station === mostStations) return
  stations.set(error, station + 1)
  const here: { stack?: string } = {}
  Error.captureStackTrace(here, addWhere)
  const frames = (here.stack ?? '').split('\n').slice(2)
  const end = frames.findIndex((frame) => frame.includes(driver))
  const lines = frames.slice(0, Math.max(0, end)).filter((frame) => !frame.includes('(<anonymous>)'))
  try {
    for (const line of lines.map((frame) => frame.replace('    at ', '    at async '))) {
      if (error.stack === undefined || error.stack.includes(line)) continue
      error.stack += `\n${line}`
    }
  } catch {
    // A frozen error keeps its stack.
  }
}
