/** The part of child processes that knows no system: a scripted process, in virtual time. */
import {
  type ChildProcess,
  Deferred,
  ProcessAddress,
  type ProcessEnding,
  processEnding,
  ProcessExitedAlready,
  ProcessDone,
  ProcessTerminated,
  type Signal,
  succeed,
  toBytes,
} from 'couplet'
import { describe, expect, it } from 'vitest'
import { Witness } from '../processes/witness.ts'
import { reportsOfEachTest } from '../reports.ts'
import { outcome, ScriptedConnection, ScriptedReactor } from '../scripted-reactor.ts'

const address = new ProcessAddress('poet', ['--slow'])
const reports = reportsOfEachTest()

class Pipe extends ScriptedConnection {
  says(text: string): void {
    this.received(toBytes(text))
  }
}

/** A process that does what the test says. */
class ScriptedChild implements ChildProcess {
  readonly address = address
  readonly pid = 4711
  readonly stdio: Pipe
  readonly stderr: Pipe | undefined
  readonly signals: Signal[] = []
  stdoutClosed = false
  #ending: ProcessEnding | undefined
  readonly #watchers: Deferred<ProcessEnding>[] = []

  constructor(reactor: ScriptedReactor, withStderr = true) {
    this.stdio = new Pipe(reactor, address)
    if (withStderr) this.stderr = new Pipe(reactor, address)
  }

  closeStdout(): void {
    this.stdoutClosed = true
  }

  signal(signal: Signal): void {
    if (this.#ending !== undefined) throw new ProcessExitedAlready(address)
    this.signals.push(signal)
  }

  whenExited(): Deferred<ProcessEnding> {
    if (this.#ending !== undefined) return succeed(this.#ending)
    const watcher = new Deferred<ProcessEnding>()
    this.#watchers.push(watcher)
    return watcher
  }

  exits(exitCode: number | null, signal: Signal | null = null): void {
    this.#ending = processEnding(address, exitCode, signal)
    for (const watcher of this.#watchers) watcher.callback(this.#ending)
  }
}

class World extends ScriptedReactor {
  readonly child: ScriptedChild

  constructor(withStderr?: boolean) {
    super()
    this.child = new ScriptedChild(this, withStderr)
  }

  override spawn(): Deferred<ChildProcess> {
    return succeed<ChildProcess>(this.child)
  }

  /** Lets what is due now happen. */
  settle(): void {
    for (let turn = 0; turn < 5; turn++) this.advance(0)
  }
}

async function running(world = new World(), seen = new Witness()) {
  const transport = await world.spawnProcess(seen, 'poet', ['--slow'])
  return { world, child: world.child, seen, transport }
}

describe('a process transport', () => {
  it('tells of a process that has ended before anybody listened, in the right order', async () => {
    const world = new World()
    world.child.exits(0)
    const { child, seen, transport } = await running(world)
    expect(seen.calls).toEqual(['connectionMade', 'processExited'])
    child.stdio.says('last words')
    child.stdio.loseConnection()
    child.stdio.hangUp()
    child.stderr?.hangUp()
    world.settle()
    expect(seen.calls.at(-1)).toBe('processEnded')
    expect(seen).toMatchObject({ out: 'last words' })
    expect(outcome(transport.whenEnded()).value).toBeInstanceOf(ProcessDone)
  })

  it('has ended when the process and both its connections have, whichever is last', async () => {
    for (const last of ['exit', 'stdio', 'stderr']) {
      const { world, child, seen } = await running()
      const steps: Record<string, () => void> = {
        exit: () => child.exits(1),
        stdio: () => {
          child.stdio.loseConnection()
          child.stdio.hangUp()
        },
        stderr: () => child.stderr?.hangUp(),
      }
      for (const [name, step] of Object.entries(steps)) if (name !== last) step()
      world.settle()
      expect(seen.ended).toBeUndefined()
      steps[last]?.()
      world.settle()
      expect(seen.ended).toMatchObject({ exitCode: 1 })
      expect(seen.calls.filter((call) => call === 'processEnded')).toHaveLength(1)
    }
  })

  it('needs no stderr', async () => {
    const { world, child, seen, transport } = await running(new World(false))
    transport.closeStderr()
    transport.pauseProducing()
    transport.resumeProducing()
    child.exits(0)
    transport.loseConnection()
    child.stdio.hangUp()
    world.settle()
    expect(seen.calls.at(-1)).toBe('processEnded')
    expect(seen.calls).not.toContain('errConnectionLost')
  })

  it('kills exactly when it said it would, and not if the process obeyed before', async () => {
    const { world, child, transport } = await running()
    const ending = outcome(transport.terminate({ signal: 'SIGINT', killAfter: 300 }))
    world.advance(299)
    expect(child.signals).toEqual(['SIGINT'])
    world.advance(1)
    expect(child.signals).toEqual(['SIGINT', 'SIGKILL'])
    child.exits(null, 'SIGKILL')
    expect(ending.value).toBeInstanceOf(ProcessTerminated)

    const obedient = await running()
    void obedient.transport.terminate()
    obedient.child.exits(0)
    obedient.world.advance(10_000)
    expect(obedient.child.signals).toEqual(['SIGTERM'])
    expect(obedient.world.timers).toBe(0)
  })

  it('leaves no timer behind if the signal cannot be sent', async () => {
    const { world, child, transport } = await running()
    child.signal = () => {
      throw new TypeError('no such signal')
    }
    expect(() => transport.terminate()).toThrow(TypeError)
    expect(world.timers).toBe(0)
  })

  it('knows the process while it runs', async () => {
    const { child, transport } = await running()
    expect([transport.pid, String(transport.peer)]).toEqual([4711, 'process:["poet","--slow"]'])
    transport.closeStdout()
    expect(child.stdoutClosed).toBe(true)
    child.exits(0)
    expect(transport.pid).toBeUndefined()
    expect(() => transport.signalProcess('SIGTERM')).toThrow('process:["poet","--slow"]: the process has ended already')
  })

  it('ends the process for a hook whose promise is rejected, with that as the cause', async () => {
    class Late extends Witness {
      override async outReceived() {
        await Promise.reject(new Error('after all'))
      }
    }
    const { world, child, seen } = await running(new World(), new Late())
    child.stdio.says('x')
    await new Promise((resolve) => setImmediate(resolve))
    expect([child.stdio.end, child.stderr?.end]).toEqual(['reset', 'reset'])
    child.exits(null, 'SIGKILL')
    world.settle()
    expect(seen.ended?.cause).toEqual(new Error('after all'))
    expect(reports).toHaveLength(1)
    expect(reports[0]?.what).toBe('outReceived of Late failed, so process:["poet","--slow"] is killed')
  })
})
