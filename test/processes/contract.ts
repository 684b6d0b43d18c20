/** What holds for child processes wherever they run: each world runs all of this. */
import {
  ConnectingCancelledError,
  ConnectionAborted,
  ConnectionDone,
  connectProtocol,
  type Deferred,
  LingerTimeout,
  ProcessAddress,
  ProcessDone,
  ProcessEndpoint,
  type ProcessEndpointOptions,
  ProcessExitedAlready,
  ProcessProtocol,
  ProcessTerminated,
  type ProcessTransport,
  type Reactor,
  SendQueueOverflow,
  type SpawnOptions,
  SpawnError,
  UnsupportedAddress,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reports as takeReports } from '../reports.ts'
import type { ProgramName } from './programs.ts'
import { Patient, Witness } from './witness.ts'

/** Where processes run. */
export interface ProcessWorld {
  readonly reactor: Reactor
  /** How to start one of the programs. */
  readonly command: (name: ProgramName) => readonly [executable: string, args?: readonly string[]]
  /** Waits until it has happened. */
  readonly until: (happened: () => boolean) => Promise<void>
  /** Waits for an outcome. */
  readonly outcome: <T>(deferred: Deferred<T>) => Promise<T>
  /** Kills a process that is not a child of ours. */
  readonly kill: (pid: number) => void
  /** Child processes, and timers, that are left. */
  readonly left: () => { readonly children: number; readonly timers: number }
}

async function nothingIsLeft({ until, left }: ProcessWorld): Promise<void> {
  await until(() => left().children + left().timers === 0)
}

/** Defines the tests. @param make a fresh world */
export function processContract(make: () => ProcessWorld): void {
  const start = async <P extends ProcessProtocol>(
    protocol: P,
    name: ProgramName,
    options: SpawnOptions = {},
    world = make(),
  ): Promise<[seen: P, child: ProcessTransport, world: ProcessWorld]> => {
    const [executable, args] = world.command(name)
    const spawned = world.reactor.spawnProcess(protocol, executable, args, options)
    expect(spawned.called).toBe(false)
    return [protocol, await world.outcome(spawned), world]
  }

  describe('a child process', () => {
    it('is written to, says something, and ends', async () => {
      const [seen, child, world] = await start(new Witness(), 'answers')
      expect(child.pid).toBeGreaterThan(0)
      child.write('a poem\n')
      expect(await world.outcome(child.whenEnded())).toBeInstanceOf(ProcessDone)
      expect(seen).toMatchObject({ out: 'heard a poem\n', err: 'oh\n' })
      expect(child.pid).toBeUndefined()
      await nothingIsLeft(world)
    })

    it('is told of in order: connectionMade first, processEnded last, everything once', async () => {
      const [seen, child, world] = await start(new Witness(), 'speaks')
      await world.outcome(child.whenEnded())
      expect(seen.calls[0]).toBe('connectionMade')
      expect(seen.calls.at(-1)).toBe('processEnded')
      expect(seen.calls.toSorted()).toEqual(
        ['connectionMade', 'errConnectionLost', 'errReceived', 'inConnectionLost', 'outConnectionLost', 'outReceived']
          .concat('processEnded', 'processExited')
          .toSorted(),
      )
    })

    it.each([
      ['exits', 3, undefined],
      ['dies', undefined, 'SIGKILL'],
    ] as const)('that %s has terminated, and says how', async (name, exitCode, signal) => {
      const [seen, child, world] = await start(new Witness(), name)
      const ending = await world.outcome(child.whenEnded())
      expect(ending).toBeInstanceOf(ProcessTerminated)
      expect(ending).toMatchObject({ exitCode, signal, code: 'ERR_PROCESS_TERMINATED' })
      expect(ending.cause).toBeUndefined()
      expect(seen.exited).toBe(ending)
      expect(seen.ended).toBe(ending)
    })

    it('finds nothing in its environment but what it was given', async () => {
      const [nothing, first, world] = await start(new Witness(), 'env')
      await world.outcome(first.whenEnded())
      const [something, second] = await start(new Witness(), 'env', { env: { A: '1', B: undefined } }, world)
      await world.outcome(second.whenEnded())
      expect([nothing.out, something.out]).toEqual(['', 'A=1\n'])
    })

    it('starts where it is told to', async () => {
      const [seen, child, world] = await start(new Witness(), 'pwd', { cwd: '/usr' })
      await world.outcome(child.whenEnded())
      expect(seen.out).toBe('/usr\n')
    })

    it('can be read while stdin is closed, and has all that was written before', async () => {
      const [seen, child, world] = await start(new Witness(), 'cat')
      child.writeSequence(['one ', 'two'])
      child.closeStdin()
      child.write('three')
      expect(await world.outcome(child.whenEnded())).toBeInstanceOf(ProcessDone)
      expect(seen.out).toBe('one two')
      expect(seen.calls.filter((call) => call === 'inConnectionLost')).toHaveLength(1)
    })

    it('that does not read its stdin any more is still heard', async () => {
      const [seen, child, world] = await start(new Witness(), 'deaf')
      await world.until(() => seen.out !== '')
      child.write('nobody reads this')
      await world.until(() => seen.calls.includes('inConnectionLost'))
      child.write('nor this')
      expect(child.queued).toBe(0)
      expect(seen.ended).toBeUndefined()
      child.signalProcess('SIGTERM')
      expect(await world.outcome(child.whenEnded())).toMatchObject({ exitCode: 4 })
      expect(seen.out).toBe('closed\nheard\n')
    })

    it('that goes without having read its stdin has ended as it says, and all that it said is heard', async () => {
      const [seen, child, world] = await start(new Witness(), 'brief')
      child.write('x'.repeat(900_000))
      expect(await world.outcome(child.whenEnded())).toBeInstanceOf(ProcessDone)
      expect(seen.out).toBe('enough\n')
    })

    it('notices that we read no more of its stdout', async () => {
      const [seen, child, world] = await start(new Witness(), 'yes')
      await world.until(() => seen.out !== '')
      child.closeStdout()
      await world.outcome(child.whenEnded())
      expect(seen.err).toContain('the end of yes')
      expect(seen.calls.filter((call) => call === 'outConnectionLost')).toHaveLength(1)
    })

    it('sends its stderr where it was told to', async () => {
      const [seen, child, world] = await start(new Witness(), 'speaks', { stderr: 'ignore' })
      expect(await world.outcome(child.whenEnded())).toBeInstanceOf(ProcessDone)
      expect(seen).toMatchObject({ out: 'out\n', err: '' })
      expect(seen.calls).not.toContain('errConnectionLost')
    })
  })

  describe('a process that cannot be started', () => {
    it.each<[string, [string, string[]?, object?], SpawnError['fault'], RegExp]>([
      ['is missing', ['/no/such/program'], 'executable', /there is no such file/],
      ['is not in the PATH', ['no-such-program', [], { env: { PATH: '/bin' } }], 'executable', /its PATH, "\/bin"/],
      ['needs a PATH', ['no-such-program'], 'executable', /no PATH was given/],
      ['has a zero byte in an argument', ['/bin/sh', ['a\0b']], 'arguments', /null bytes/],
      ['has no name', [''], 'arguments', /cannot be empty/],
    ])('because it %s fails, typed, and calls no hook', async (_, command, fault, message) => {
      const world = make()
      const { reactor, outcome } = world
      const seen = new Witness()
      const failed = reactor.spawnProcess(seen, ...command)
      expect(failed.called).toBe(false)
      const error: unknown = await outcome(failed).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(SpawnError)
      expect(error).toMatchObject({ fault, code: 'ERR_SPAWN', message: expect.stringMatching(message) as string })
      expect(seen.calls).toEqual([])
      await nothingIsLeft(world)
    })

    it('because we changed our mind is none', async () => {
      const { reactor, command, outcome, until, left } = make()
      const spawned = reactor.spawnProcess(new Witness(), ...command('sleep'))
      spawned.cancel()
      await expect(outcome(spawned)).rejects.toBeInstanceOf(ConnectingCancelledError)
      await until(() => left().children === 0)
    })
  })

  describe('ending a child process', () => {
    it('is a signal, which it can see', async () => {
      const [seen, child, world] = await start(new Witness(), 'polite')
      await world.until(() => seen.out !== '')
      child.signalProcess('SIGTERM')
      expect(await world.outcome(child.whenEnded())).toMatchObject({ exitCode: 7 })
      expect(seen.out).toBe('ready\nbye\n')
    })

    it('by stopping it first lets it see that signal when it goes on', async () => {
      const [seen, child, world] = await start(new Witness(), 'polite')
      await world.until(() => seen.out !== '')
      for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGCONT'] as const) child.signalProcess(signal)
      expect(await world.outcome(child.whenEnded())).toMatchObject({ exitCode: 7 })
    })

    it('throws for a signal that comes too late, or is none', async () => {
      const [, child, world] = await start(new Witness(), 'reads')
      expect(() => child.signalProcess('SIGPOEM')).toThrow(TypeError)
      child.closeStdin()
      await world.outcome(child.whenEnded())
      expect(() => child.signalProcess('SIGTERM')).toThrow(ProcessExitedAlready)
    })

    it('escalates, for one that ignores SIGTERM', async () => {
      const [seen, child, world] = await start(new Witness(), 'stubborn')
      await world.until(() => seen.out !== '')
      child.signalProcess('SIGTERM')
      await world.until(() => seen.out === 'ready\nno\n')
      expect(await world.outcome(child.terminate({ killAfter: 1 }))).toMatchObject({ signal: 'SIGKILL' })
      await world.outcome(child.whenEnded())
      await nothingIsLeft(world)
    })

    it('needs no second signal for one that obeys, and may come twice', async () => {
      const [, child, world] = await start(new Witness(), 'sleep')
      const [first, second] = [child.terminate(), child.terminate({ signal: 'SIGHUP' })]
      const ending = await world.outcome(first)
      expect(await world.outcome(second)).toBe(ending)
      expect(await world.outcome(child.terminate())).toBe(ending)
      expect(ending).toMatchObject({ exitCode: undefined })
      await world.outcome(child.whenEnded())
      await nothingIsLeft(world)
    })

    it('by losing the connection lets it finish', async () => {
      const [seen, child, world] = await start(new Witness(), 'sink')
      child.write('all of this')
      child.loseConnection()
      expect(await world.outcome(child.whenEnded())).toMatchObject({ exitCode: 5 })
      expect(seen.out).toBe('')
    })

    it('by losing the connection is bounded, for one that ignores everything', async () => {
      const [seen, child, world] = await start(new Witness(), 'immovable', { linger: 20 })
      await world.until(() => seen.out !== '')
      child.loseConnection()
      expect(await world.outcome(child.whenEnded())).toMatchObject({ signal: 'SIGKILL' })
      expect(seen.calls.at(-1)).toBe('processEnded')
      await world.until(() => world.left().timers === 0)
    })

    it('by aborting it is at once', async () => {
      const [seen, child, world] = await start(new Witness(), 'immovable')
      const cause = new Error('enough')
      const before = [...seen.calls]
      child.abortConnection(cause)
      expect(seen.calls).toEqual(before)
      expect(await world.outcome(child.whenEnded())).toMatchObject({ signal: 'SIGKILL', cause })
    })

    it('does not wait for its own processes, which keep its pipes open', async () => {
      const [seen, child, world] = await start(new Witness(), 'parent', { linger: 20 })
      const ending = await world.outcome(child.whenEnded())
      world.kill(Number(seen.out))
      expect(ending).toMatchObject({ exitCode: 2 })
      expect(ending.cause).toBeUndefined()
      expect(seen.calls.indexOf('processExited')).toBeLessThan(seen.calls.indexOf('errConnectionLost'))
      expect(seen.calls.at(-1)).toBe('processEnded')
    })

    it('loses nothing that is held back', async () => {
      const [seen, child, world] = await start(new Patient(), 'brief', { linger: 1 })
      await world.until(() => seen.exited !== undefined)
      // Time enough for everybody to lose patience.
      let ticks = 0
      for (let n = 1; n <= 3; n++) world.reactor.callLater(2 * n, () => ticks++)
      await world.until(() => ticks === 3)
      expect(seen).toMatchObject({ out: '', ended: undefined })
      child.resumeProducing()
      await world.outcome(child.whenEnded())
      expect(seen.out).toBe('enough\n')
    })
  })

  describe('a child process and memory', () => {
    it('that says more than we read has to wait', async () => {
      const [seen, child, world] = await start(new Patient(), 'flood')
      let ticked = false
      world.reactor.callLater(50, () => (ticked = true))
      await world.until(() => ticked)
      expect(child.paused).toBe(true)
      expect(seen.out.length).toBe(0)
      expect(seen.exited).toBeUndefined()
      child.resumeProducing()
      await world.outcome(child.whenEnded())
      expect(seen.out.length).toBe(3_000_000)
    })

    it('that never reads is killed when too much waits for it, and nobody takes half for the whole', async () => {
      const [, child, world] = await start(new Witness(), 'sleep')
      for (let n = 0; n < 20; n++) child.write(new Uint8Array(100_000))
      const ending = await world.outcome(child.whenEnded())
      expect(ending).toMatchObject({ signal: 'SIGKILL' })
      expect(ending.cause).toBeInstanceOf(SendQueueOverflow)
    })

    it('that does not read holds back the producer that writes to it, and stops it when it ends', async () => {
      const [, child, world] = await start(new Witness(), 'sleep')
      const calls: string[] = []
      const producer = {
        pauseProducing: () => void calls.push('pause'),
        resumeProducing: () => void calls.push('resume'),
        stopProducing: () => void calls.push('stop'),
      }
      child.registerProducer(producer, true)
      child.write('x'.repeat(500_000))
      await world.until(() => calls.length > 0)
      child.signalProcess('SIGKILL')
      await world.outcome(child.whenEnded())
      expect(calls).toEqual(['pause', 'stop'])
    })

    it('that reads has all of it, however much it is', async () => {
      const [seen, child, world] = await start(new Witness(), 'wc')
      child.write('x'.repeat(500_000))
      child.closeStdin()
      await world.outcome(child.whenEnded())
      expect(seen.out.trim()).toBe('500000')
    })

    it('that writes while it reads does not wait for us, nor we for it', async () => {
      const [seen, child, world] = await start(new Witness(), 'cat')
      child.write(new Uint8Array(900_000))
      child.closeStdin()
      await world.outcome(child.whenEnded())
      expect(seen.out.length).toBe(900_000)
    })
  })

  describe('a hook that throws', () => {
    it.each(['outReceived', 'errReceived', 'inConnectionLost'] as const)('in %s kills the process', async (hook) => {
      const reported = takeReports()
      const error = new Error('no')
      class Bad extends Witness {
        override outReceived(chunk: Uint8Array): void {
          super.outReceived(chunk)
          if (hook === 'outReceived') throw error
        }
        override errReceived(chunk: Uint8Array): void {
          super.errReceived(chunk)
          if (hook === 'errReceived') throw error
        }
        override inConnectionLost(): void {
          super.inConnectionLost()
          if (hook === 'inConnectionLost') throw error
        }
      }
      const [seen, child, world] = await start(new Bad(), 'immovable')
      if (hook === 'inConnectionLost') child.closeStdin()
      expect(await world.outcome(child.whenEnded())).toMatchObject({ signal: 'SIGKILL', cause: error })
      expect(seen.calls.at(-1)).toBe('processEnded')
      expect(reported).toEqual([
        expect.objectContaining({ error, what: expect.stringContaining(`${hook} of Bad`) as string }),
      ])
    })

    it('in connectionMade fails the attempt', async () => {
      const { reactor, command, outcome, until, left } = make()
      class Bad extends ProcessProtocol {
        override connectionMade(): void {
          throw new Error('not today')
        }
      }
      await expect(outcome(reactor.spawnProcess(new Bad(), ...command('sleep')))).rejects.toThrow('not today')
      await until(() => left().children === 0)
    })

    it('at the end is only reported', async () => {
      const reported = takeReports()
      class Bad extends ProcessProtocol {
        override processEnded(): void {
          throw new Error('too late')
        }
      }
      const [, child, world] = await start(new Bad(), 'brief')
      expect(await world.outcome(child.whenEnded())).toBeInstanceOf(ProcessDone)
      expect(reported).toHaveLength(1)
    })
  })

  describe('a process endpoint', () => {
    const connect = async (
      name: ProgramName,
      options: ProcessEndpointOptions = {},
    ): Promise<[protocol: AccumulatingProtocol, world: ProcessWorld]> => {
      const world = make()
      const [executable, args] = world.command(name)
      const endpoint = new ProcessEndpoint(world.reactor, executable, args, { stderr: 'ignore', ...options })
      return [await world.outcome(connectProtocol(endpoint, new AccumulatingProtocol())), world]
    }

    it('is a connection to the stdin and stdout of a program, and ends as that does', async () => {
      const [protocol, world] = await connect('cat')
      protocol.transport.write('all of it')
      protocol.transport.loseWriteConnection()
      expect(await world.outcome(protocol.whenClosed())).toBeInstanceOf(ConnectionDone)
      expect(protocol.text()).toBe('all of it')
    })

    it('never calls the output of a process that was killed complete', async () => {
      const [protocol, world] = await connect('half')
      const reason = await world.outcome(protocol.whenClosed())
      expect(reason).not.toBeInstanceOf(ConnectionDone)
      expect(reason.cause).toMatchObject({ signal: 'SIGKILL' })
      expect(protocol.text()).toBe('half\n')
    })

    it('ends a process that takes nothing of what was written, when that has lasted too long', async () => {
      const [protocol, world] = await connect('sleep', { linger: 20 })
      protocol.transport.write(new Uint8Array(1_000_000))
      protocol.transport.loseConnection()
      const reason = await world.outcome(protocol.whenClosed())
      expect(reason.cause).toBeInstanceOf(LingerTimeout)
    })

    it('kills its process when the connection is aborted', async () => {
      const [protocol, world] = await connect('immovable')
      protocol.transport.abortConnection()
      expect(protocol.closedReason).toBeUndefined()
      expect(await world.outcome(protocol.whenClosed())).toBeInstanceOf(ConnectionAborted)
      await nothingIsLeft(world)
    })

    it('knows no TLS', async () => {
      const { reactor, outcome } = make()
      const secure = reactor.dial(new ProcessAddress('true'), { tls: { serverName: 'x' } })
      await expect(outcome(secure)).rejects.toBeInstanceOf(UnsupportedAddress)
    })
  })
}
