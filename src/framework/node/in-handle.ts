/**
 * How much of what a stream was given is still with it. One large write is called done when all of it is; the handle
 * beneath, Node's own, knows how far it has come.
 */
import type { Writable } from 'node:stream'

/** Bytes that the system has not taken yet, or `undefined` if this stream has no handle that could tell. */
export function inHandle(stream: Writable): number | undefined {
  const handle: unknown = Reflect.get(stream, '_handle')
  const size: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : undefined
  return typeof size === 'number' ? size : undefined
}
