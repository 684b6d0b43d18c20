/**
 * Runs a command line without a process: over the simulated network, in virtual time, with its output in strings.
 */
import { Factory, join, Protocol, type Reactor, toBytes, toText } from 'couplet'
import { Sim } from 'couplet/sim'
import { type Command, main } from '../../src/poetry/bin/commands/command.ts'
import type { Output } from '../../src/poetry/bin/commands/world.ts'

/** Remembers what is written to it. */
export class CapturedOutput implements Output {
  readonly isTTY: boolean
  readonly columns: number | undefined
  /** What writing fails with, from the start. */
  readonly broken: Error | undefined
  readonly #written: Uint8Array[] = []

  constructor(options: { isTTY?: boolean; columns?: number; broken?: Error } = {}) {
    this.isTTY = options.isTTY ?? false
    this.columns = options.columns
    this.broken = options.broken
  }

  get bytes(): Uint8Array {
    return join(this.#written)
  }

  get text(): string {
    return toText(this.bytes)
  }

  /** What was written, line by line. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  write(data: string | Uint8Array, done?: (error?: Error | null) => void): void {
    if (this.broken === undefined) this.#written.push(new Uint8Array(toBytes(data)))
    done?.(this.broken)
  }
}

/** A command that runs, or has run. */
export interface Running {
  readonly stdout: CapturedOutput
  readonly stderr: CapturedOutput
  /** The number it ended with, once it has. */
  readonly code: number | undefined
}

/** Starts `command`; `argv` is what stands behind its name. */
export function start(
  command: Command,
  argv: readonly string[],
  reactor: Reactor,
  { stdout = new CapturedOutput(), stderr = new CapturedOutput() } = {},
): Running {
  const running: { -readonly [Key in keyof Running]: Running[Key] } = { stdout, stderr, code: undefined }
  main(command, argv, { reactor, stdout, stderr, paint: (_, text) => text }).addCallback((code) => {
    running.code = code
  })
  return running
}

/** One machine, which is all that the command lines need. */
export function machine() {
  const sim = new Sim()
  const { reactor } = sim.host('localhost-of-the-test')
  return {
    sim,
    reactor,
    run: (command: Command, argv: readonly string[], outputs = {}) => start(command, argv, reactor, outputs),
  }
}

/** Says something, then ends the connection in some way, on port `port` of this machine. */
export function serveOnce(
  reactor: ReturnType<typeof machine>['reactor'],
  port: number,
  talk: (protocol: Protocol) => void,
) {
  class Talk extends Protocol {
    override connectionMade(): void {
      talk(this)
    }
  }
  reactor.listenTCP(
    port,
    Factory.forProtocol(() => new Talk()),
  )
}
