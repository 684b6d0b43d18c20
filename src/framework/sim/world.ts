/**
 * What the hosts of a simulated world ask of it.
 *
 * No ancestor.
 */
import type { IPAddress } from '../core/address.ts'
import type { PipeOptions } from './pipe.ts'
import type { RandomStream } from './random-stream.ts'
import type { SimHost } from './sim-host.ts'

export interface World {
  /** When the world began, in milliseconds since 1970. */
  readonly epoch: number
  /** The stream of numbers with this name. */
  randomStream(name: string): RandomStream
  /** Whose address this is, seen from `from`. */
  hostAt(address: IPAddress, from: SimHost): SimHost | undefined
  /** The addresses behind a name. */
  lookUp(name: string): readonly IPAddress[] | undefined
  /** What the way from one host to the other is like. */
  pipe(from: SimHost, to: SimHost): PipeOptions
}
