/**
 * What a process reads and writes, as connections that are made when its program asks for them.
 *
 * No ancestor.
 */
import { PipeConnection } from '../../core/pipe-connection.ts'
import { Protocol } from '../../core/protocol.ts'
import { standardIO, StandardIOConnection } from '../../core/standard-io.ts'
import type { ConnectionLimits } from '../../core/stream-connection.ts'
import type { Transport } from '../../core/transport.ts'
import type { SimReactor } from '../sim-reactor.ts'
import { NullDevice } from './null-device.ts'
import type { SimPipeInput, SimPipeOutput } from './sim-pipe.ts'

/** The child's ends of its pipes. */
export interface ChildPipes {
  readonly stdin: SimPipeInput
  readonly stdout: SimPipeOutput
  /** Nothing if what it writes there goes nowhere. */
  readonly stderr: SimPipeOutput | undefined
}

export class StandardStreams {
  readonly #reactor: SimReactor
  readonly #pipes: ChildPipes
  #io: ScriptedIO | undefined
  #stderr: PipeConnection | undefined

  constructor(reactor: SimReactor, pipes: ChildPipes) {
    this.#reactor = reactor
    this.#pipes = pipes
  }

  /** Stdin and stdout. */
  get io(): ScriptedIO {
    return this.#io ?? this.#open({})
  }

  /** Stdin and stdout, if nobody has asked for them yet. */
  open(limits: ConnectionLimits): ScriptedIO | undefined {
    return this.#io === undefined ? this.#open(limits) : undefined
  }

  /** To write to; nothing is read, unless somebody listens already. */
  get stdout(): Transport {
    const { io } = this
    if (!io.taken) io.deliverTo(new Deaf())
    return io
  }

  /** To write to; there is nothing to read. */
  get stderr(): Transport {
    if (this.#stderr !== undefined) return this.#stderr
    const reactor = this.#reactor
    const output = this.#pipes.stderr ?? new NullDevice(reactor)
    this.#stderr = new PipeConnection(reactor, standardIO, standardIO, {}, new NullDevice(reactor), output)
    this.#stderr.deliverTo(new Deaf())
    return this.#stderr
  }

  /** Nothing more will be written: calls `then` when all that was has left, or nobody reads it any more. */
  flush(then: () => void): void {
    const { stdout, stderr } = this.#pipes
    const written = [
      [this.#io, stdout],
      [this.#stderr, stderr],
    ] as const
    let left = 1
    const one = (): void => {
      if (--left === 0) then()
    }
    for (const [connection, output] of written) {
      if (connection === undefined || output === undefined) continue
      left++
      output.whenFinished(one)
      connection.unregisterProducer()
      connection.loseWriteConnection()
    }
    one()
  }

  #open(limits: ConnectionLimits): ScriptedIO {
    const { stdin, stdout } = this.#pipes
    return (this.#io = new ScriptedIO(this.#reactor, limits, stdin, stdout))
  }
}

/** Standard input and output, which know whether somebody listens. */
class ScriptedIO extends StandardIOConnection {
  taken = false

  override deliverTo(protocol: Protocol): void {
    this.taken = true
    super.deliverTo(protocol)
  }
}

/** Hears nothing, and goes on speaking when whoever it does not hear has ended. */
class Deaf extends Protocol {
  override connectionMade(): void {
    this.transport.pauseProducing()
  }
}
