/**
 * Runs the command lines as programs of their own, as a user does, and waits for what they print; never for time.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

/** How a program ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A program that runs. */
export class Program {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  #stdout = ''
  #stderr = ''
  #hasEnded = false
  #looking: (() => void)[] = []

  /** @param descriptors open files of ours that it inherits, from 3 */
  constructor(command: string, args: readonly string[], descriptors: readonly number[] = []) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', ...descriptors] })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#look()
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#look()
    })
    this.ended = once(this.child, 'close').then(([code]) => {
      this.#hasEnded = true
      this.#look()
      return { code: code as number | null, stdout: this.#stdout, stderr: this.#stderr }
    })
  }

  /** All that it has printed so far, on both. */
  get printed(): string {
    return this.#stdout + this.#stderr
  }

  /** Waits until it has printed what `pattern` finds `times` times; fails if it ends without that. */
  async prints(pattern: RegExp, times = 1): Promise<string[][]> {
    const all = new RegExp(pattern, 'gm')
    for (;;) {
      const found = [...this.printed.matchAll(all)]
      if (found.length >= times) return found
      if (this.#hasEnded) {
        throw new Error(`it ended without printing ${pattern}, but with:\n${this.printed}`)
      }
      await new Promise<void>((resolve) => {
        this.#looking.push(resolve)
      })
    }
  }

  #look(): void {
    for (const look of this.#looking.splice(0)) look()
  }
}

/** Our command lines. */
type PoetryProgram = 'slowpoetry' | 'get-poetry' | 'poetry-transform' | 'poetry-proxy' | 'experiment'

/** What a test has started, and ends when the test does. */
export class Started {
  readonly #programs: Program[] = []
  readonly #servers: { server: Server; sockets: Set<Socket> }[] = []

  /** One of our command lines, from its source. */
  poetry(name: PoetryProgram, ...args: string[]): Program {
    const source = ['-C', '@couplet/source', '--import', 'tsx', `src/poetry/bin/${name}.ts`]
    return this.program(process.execPath, ...source, ...args)
  }

  /** One of the examples, as `npm run example` runs it. */
  example(name: string, ...args: string[]): Program {
    const source = ['-C', '@couplet/source', '--import', 'tsx', 'scripts/run.ts', 'examples', name]
    return this.program(process.execPath, ...source, ...args)
  }

  program(command: string, ...args: string[]): Program {
    return this.add(new Program(command, args))
  }

  add(program: Program): Program {
    this.#programs.push(program)
    return program
  }

  /** A server that is not ours; gives its port. */
  async server(talk: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined))
      talk(socket)
    })
    this.#servers.push({ server, sockets })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return String((server.address() as AddressInfo).port)
  }

  async end(): Promise<void> {
    for (const { child } of this.#programs) child.kill('SIGKILL')
    await Promise.all(this.#programs.map(({ ended }) => ended))
    for (const { server, sockets } of this.#servers) {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
    this.#programs.length = 0
    this.#servers.length = 0
  }
}
