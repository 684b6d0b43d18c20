/**
 * All that neutral rooms may ask of the place they run in: web standards that Node, browsers and the simulated world
 * share. Only tsconfig.neutral.json reads this file; the Node program has Node's own types instead. What is not here
 * does not exist in a neutral room: time comes from a Clock, chance and sockets from the reactor.
 */

declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean })
  decode(input?: Uint8Array, options?: { stream?: boolean }): string
}

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

declare class AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}

declare function queueMicrotask(callback: () => void): void

declare const console: { error(...data: unknown[]): void }

interface ErrorConstructor {
  captureStackTrace(target: object, constructor?: object): void
  stackTraceLimit: number
}

/** For the report of unhandled failures alone (src/framework/deferred/unhandled.ts); lint forbids it elsewhere. */
declare function setTimeout(callback: () => void, ms: number): unknown

/** For the simulated world alone (src/framework/sim/hop.ts), which lets promises go on between its events. */
declare class MessageChannel {
  readonly port1: MessagePort
  readonly port2: MessagePort
}

interface MessagePort {
  addEventListener(type: 'message', listener: () => void): void
  start(): void
  postMessage(message: unknown): void
  close(): void
}
