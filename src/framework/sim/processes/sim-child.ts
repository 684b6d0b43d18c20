/**
 * A child process of a simulated host, as the one that started it sees it, and how it is started.
 *
 * Ancestor: `twisted.internet.process.Process`.
 */
import type { ProcessAddress } from '../../core/address.ts'
import type { SpawnOptions } from '../../core/child-process.ts'
import { type ProcessEnding, ProcessExitedAlready, type Signal } from '../../core/process-errors.ts'
import { StartedProcess } from '../../core/started-process.ts'
import type { Network } from '../network/network.ts'
import { Path } from '../network/path.ts'
import { keyOf } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { SimProcess } from '../sim-process.ts'
import { SimReactor } from '../sim-reactor.ts'
import { SimEvent } from '../timeline.ts'
import type { Executable } from './executable.ts'
import { ScriptedProcess } from './scripted-process.ts'
import { SimPipe, type SimPipeOutput } from './sim-pipe.ts'

/** Who starts what, and how. */
export interface Start {
  readonly parent: SimReactor
  readonly address: ProcessAddress
  readonly options: SpawnOptions
  readonly script: Executable
  readonly pid: number
}

export class SimChild extends StartedProcess {
  readonly process: ScriptedProcess
  readonly #stdin: SimPipeOutput

  private constructor(
    { parent, address, options }: Start,
    process: ScriptedProcess,
    pipes: { stdin: SimPipeOutput; stdout: SimPipe; stderr: SimPipe | undefined },
    told: (happen: () => void) => void,
  ) {
    const { stdin, stdout, stderr } = pipes
    super(parent, address, process.pid, { stdin, stdout: stdout.input, stderr: stderr?.input }, options)
    this.process = process
    this.#stdin = stdin
    process.whenEnded((ending) => told(() => this.#hasEnded(ending)))
  }

  /** A process begins. Its program runs in a later event. */
  static start(network: Network, machine: SimHost, start: Start): SimChild {
    const { timeline } = network
    const { parent, address, options, script, pid } = start
    const name = `${machine.name}:${address}#${machine.count(address)}`
    const reactor = new SimReactor(network, machine, { name, stream: `process:${name}`, generation: 1 })
    const { process } = reactor
    // No rule for packets is about pipes.
    const path = new Path(machine.name, machine.name, network.path(machine, machine).terms, [])
    const pipe = (which: string, writer: SimProcess, reader: SimProcess): SimPipe => {
      const of = `pipe:${name}:${which}`
      const stream = network.random(of)
      return new SimPipe({ timeline, path, name: of, key: keyOf(of), random: () => stream }, writer, reader)
    }
    const stdin = pipe('stdin', parent.process, process)
    const stdout = pipe('stdout', process, parent.process)
    const family = machine.children.find((child) => child.reactor === parent)
    const { stderr: where = 'pipe', env = {}, cwd = family?.cwd ?? '/' } = options
    const own = where === 'pipe' ? pipe('stderr', process, parent.process) : undefined
    const stderr = where === 'inherit' ? family?.stderrPipe : own
    const scripted = new ScriptedProcess({
      timeline,
      machine,
      reactor,
      address,
      env: Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)),
      cwd,
      pid,
      script,
      stdin: stdin.input,
      stdout: stdout.output(process, true),
      // Others may write there as well, and then nobody knows whose bytes arrive.
      stderr: stderr?.output(process, false),
      key: keyOf(`process:${name}`),
    })
    const key = keyOf(`exit:${name}`)
    const told = (happen: () => void): void => timeline.schedule(new SimEvent(parent.process, 'program', key, happen))
    return new SimChild(start, scripted, { stdin: stdin.output(parent.process, true), stdout, stderr: own }, told)
  }

  protected override send(signal: Signal): Error | undefined {
    return this.process.signal(signal) ? undefined : new ProcessExitedAlready(this.address)
  }

  #hasEnded(ending: ProcessEnding): void {
    // As Node does it, whoever else may still read there.
    this.#stdin.close()
    this.exited(ending)
  }
}
