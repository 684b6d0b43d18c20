/**
 * What only the handle beneath a stream knows. It is Node's own, and no promise of Node's: whoever asks has to do without an
 * answer, too.
 *
 * No ancestor.
 */
import type { Writable } from 'node:stream'

/**
 * How much of what a stream was given is still with it: one large write is called done when all of it is; the handle
 * knows how far it has come.
 *
 * @returns bytes that the system has not taken yet, or `undefined` if this stream has no handle that could tell
 */
export function inHandle(stream: Writable): number | undefined {
  return numberIn(stream, 'writeQueueSize')
}

/** The open file of a stream, or `undefined` if it has none, or it is closed. */
export function descriptorOf(stream: Writable): number | undefined {
  const descriptor = numberIn(stream, 'fd')
  return descriptor === undefined || descriptor < 0 ? undefined : descriptor
}

/** The handle itself, or `undefined` if the stream has none, or is closed. */
export function handleOf(stream: Writable): object | undefined {
  const handle: unknown = Reflect.get(stream, '_handle')
  return typeof handle === 'object' && handle !== null ? handle : undefined
}

function numberIn(stream: Writable, name: string): number | undefined {
  const handle = handleOf(stream)
  const value: unknown = handle === undefined ? undefined : Reflect.get(handle, name)
  return typeof value === 'number' ? value : undefined
}
