/**
 * What the contract of transports needs to run: a maker of connected pairs, a way to wait, and a protocol that writes
 * down everything that it is told.
 */
import { join } from 'couplet'
import {
  type Connection,
  type ConnectionClosed,
  type ConnectionLimits,
  type Hook,
  Protocol,
  type Report,
  setReporter,
} from 'couplet'
import { onTestFinished } from 'vitest'

/** A kind of transport, for one test. */
export interface TransportWorld {
  /** Two ends of one connection, which nobody listens to yet. */
  pair(limits?: {
    readonly near?: ConnectionLimits
    readonly far?: ConnectionLimits
  }): Promise<[Connection, Connection]>
  /** More bytes than all buffers between the two ends hold, and more than 512 KiB. */
  readonly plenty: number
  /** Waits until everything that can happen without a timer has happened. */
  settle(): Promise<void>
}

export type MakeWorld = () => TransportWorld

/** What a protocol of a test does when it is told something. */
export interface Script {
  made?(self: Witness): Hook
  data?(self: Witness, chunk: Uint8Array): Hook
  lost?(self: Witness, reason: ConnectionClosed): Hook
  ended?(self: Witness): Error | undefined
  readLost?(self: Witness): Hook
  writeLost?(self: Witness): Hook
  stopping?(self: Witness): Hook
}

/** Writes down what it is told, and complains when that comes in a wrong order. */
export class Witness extends Protocol {
  /** The names of the hooks that were called, data only once in a row. */
  readonly calls: string[] = []
  readonly chunks: Uint8Array[] = []
  /** How many bytes arrived. */
  size = 0
  reason: ConnectionClosed | undefined
  readonly #script: Script

  constructor(script: Script = {}) {
    super()
    this.#script = script
    this.inputEnded = () => this.#note('inputEnded', () => script.ended?.(this))
    if (script.readLost) this.readConnectionLost = () => this.#note('readLost', () => script.readLost?.(this))
    if (script.writeLost) this.writeConnectionLost = () => this.#note('writeLost', () => script.writeLost?.(this))
    if (script.stopping) this.stopping = () => this.#note('stopping', () => script.stopping?.(this))
  }

  get bytes(): Uint8Array {
    return join(this.chunks)
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes)
  }

  /** How often it was told that its connection is lost. */
  get losses(): number {
    return this.calls.filter((call) => call === 'lost').length
  }

  override connectionMade(): Hook {
    return this.#note('made', () => this.#script.made?.(this))
  }

  override dataReceived(chunk: Uint8Array): Hook {
    if (chunk.length === 0) this.calls.push('an empty chunk')
    this.chunks.push(chunk)
    this.size += chunk.length
    return this.#note('data', () => this.#script.data?.(this, chunk))
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.reason = reason
    return this.#note('lost', () => this.#script.lost?.(this, reason))
  }

  #note<T>(call: string, then: () => T): T {
    if (call === 'data' ? this.calls.at(-1) !== 'data' : true) this.calls.push(call)
    return then()
  }
}

/** A connected pair with a Witness at each end. */
export interface Ends {
  readonly near: Witness
  readonly far: Witness
  /** The connections, which the witnesses see as their transports. */
  readonly nearEnd: Connection
  readonly farEnd: Connection
}

/** Connects two witnesses. */
export async function connect(
  world: TransportWorld,
  near: Script = {},
  far: Script = {},
  limits?: { readonly near?: ConnectionLimits; readonly far?: ConnectionLimits },
): Promise<Ends> {
  const [nearEnd, farEnd] = await world.pair(limits)
  const ends = { near: new Witness(near), far: new Witness(far), nearEnd, farEnd }
  farEnd.deliverTo(ends.far)
  nearEnd.deliverTo(ends.near)
  return ends
}

/** Collects what is reported until the test is over. */
export function reports(): Report[] {
  const collected: Report[] = []
  onTestFinished(setReporter((report) => collected.push(report)))
  return collected
}

/** `length` bytes that differ from place to place, so that bytes out of order are noticed. */
export function pattern(length: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) {
    const place = from + index
    bytes[index] = place ^ (place >>> 8) ^ (place >>> 16)
  }
  return bytes
}

/** Whether these are the first bytes of the endless {@link pattern}. */
export function isPattern(bytes: Uint8Array): boolean {
  return bytes.every((byte, place) => byte === ((place ^ (place >>> 8) ^ (place >>> 16)) & 255))
}
