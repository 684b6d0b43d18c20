/** Child processes of simulated hosts, where they are more than the contract says: crashes, faults, a world of their own. */
import {
  clientFromString,
  ClientService,
  connectProtocol,
  Factory,
  LineReceiver,
  lintTrace,
  type ProcessEnding,
  ProcessAddress,
  ProcessEndpoint,
  type ProcessTransport,
  Protocol,
  Recorder,
  serverFromString,
  setTracer,
  SpawnError,
  StandardIOAddress,
  toText,
  UnsupportedAddress,
} from 'couplet'
import {
  type Executable,
  type Executables,
  faultKinds,
  type ScriptedProcess,
  Sim,
  type SimHost,
  type SimOptions,
  type SimReactor,
  simTestWith,
} from 'couplet/sim'
import { AccumulatingProtocol, successResultOf } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Patient, Witness } from '../processes/witness.ts'
import { outcome } from './stage.ts'

class Echo extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

/** Lives until a signal ends it. */
const sleep: Executable = () => {}
const cat: Executable = () => new Echo()

function worldWith(executables: Executables, options: SimOptions = {}): { sim: Sim; host: SimHost } {
  const sim = new Sim(options)
  return { sim, host: sim.host('host', { executables }) }
}

/** Starts one, and lets it begin. */
function started(
  sim: Sim,
  host: SimHost,
  name: string,
  seen = new Witness(),
): [Witness, ProcessTransport, ScriptedProcess] {
  const spawned = host.reactor.spawnProcess(seen, `/bin/${name}`)
  sim.advance()
  return [seen, successResultOf(spawned), host.children.at(-1)!]
}

describe('an executable', () => {
  it('is found by its name in any directory, or by its path only', async () => {
    const { sim, host } = worldWith({ cat, '/usr/bin/sort': cat, '/opt/broken': 'not executable' })
    const start = (name: string, PATH?: string): unknown => {
      const child = outcome(host.reactor.spawn(new ProcessAddress(name), { env: { PATH } }))
      sim.advance()
      return child.error === undefined ? 'runs' : (child.error as Error).message.replace(/^.*process: /, '')
    }
    expect([
      start('/bin/cat'),
      start('cat', '/bin'),
      start('sort', '/bin:/usr/bin'),
      start('/usr/bin/sort'),
      start('/bin/sort'),
      start('sort', '/bin'),
      start('cat'),
      start('/opt/broken'),
      start('constructor', '/bin'),
    ]).toEqual([
      'runs',
      'runs',
      'runs',
      'runs',
      'there is no such file',
      'there is no such program that can be executed: none in its PATH, "/bin"',
      'there is no such program that can be executed: no PATH was given (pass it in env)',
      'it is not executable (chmod +x)',
      'there is no such program that can be executed: none in its PATH, "/bin"',
    ])
  })

  it.each<[name: string, executable: Executable, how: object, err: string]>([
    [
      'throws',
      () => {
        throw new Error('bad day')
      },
      { exitCode: 1 },
      'Error: bad day\n',
    ],
    [
      'fails with a code',
      () => {
        throw Object.assign(new Error('usage'), { exitCode: 64 })
      },
      { exitCode: 64 },
      'Error: usage\n',
    ],
    ['says 256', (process) => process.exit(256), { exitCode: 0 }, ''],
    ['says -1', (process) => process.exit(-1), { exitCode: 255 }, ''],
    ['lets a signal end it', (process) => void process.signal('SIGHUP'), { signal: 'SIGHUP' }, ''],
    [
      'has a protocol whose connection breaks',
      () =>
        new (class extends Protocol {
          override connectionMade(): void {
            this.transport.abortConnection()
          }
        })(),
      { exitCode: 1 },
      '',
    ],
  ])('that %s ends as programs do', (_, executable, how, err) => {
    const { sim, host } = worldWith({ program: executable })
    const [seen] = started(sim, host, 'program')
    sim.advance(1000)
    expect(seen.ended).toMatchObject(how)
    expect(seen.err).toBe(err)
    expect([host.children, sim.pending]).toEqual([[], 0])
  })

  it('may wait for a promise, and ends when that settles', async () => {
    const { sim, host } = worldWith({
      program: async ({ reactor, stdout }) => {
        await new Promise<void>((resolve) => void reactor.callLater(500, resolve))
        stdout.write('awake\n')
      },
    })
    const seen = new Witness()
    const child = await sim.runUntil(host.reactor.spawnProcess(seen, '/bin/program'))
    expect(await sim.runUntil(child.whenEnded())).toMatchObject({ exitCode: 0 })
    expect([seen.out, sim.now]).toEqual(['awake\n', 500])
  })

  it('is any program that speaks on its standard input and output', () => {
    const { sim, host } = worldWith({
      poet: ({ reactor }) =>
        serverFromString(reactor, 'stdio:')
          .listen(Factory.forProtocol(() => new Echo()))
          .addCallback(() => reactor.whenStopped()),
    })
    const endpoint = new ProcessEndpoint(host.reactor, '/bin/poet')
    const protocol = new AccumulatingProtocol()
    connectProtocol(endpoint, protocol)
    sim.advance()
    protocol.transport.write('roses')
    sim.advance()
    expect(protocol.text()).toBe('roses')
  })

  it('has its standard input and output once, and the program of a host has none', () => {
    const dialed: { error?: unknown }[] = []
    const { sim, host } = worldWith({
      program: ({ reactor, stdout }) => {
        stdout.write('mine')
        dialed.push(
          outcome(reactor.dial(new StandardIOAddress())),
          outcome(reactor.listen(new StandardIOAddress(), () => {})),
        )
      },
    })
    started(sim, host, 'program')
    const none = outcome(host.reactor.dial(new StandardIOAddress()))
    expect(dialed.map(({ error }) => String(error))).toEqual([
      expect.stringContaining('have been given to a connection already'),
      expect.stringContaining('have been given to a connection already'),
    ])
    expect(none.error).toBeInstanceOf(UnsupportedAddress)
  })

  it('has the network of its host, and ports of its own', () => {
    const { sim, host } = worldWith({
      server: ({ reactor }) =>
        reactor
          .listenTCP(
            7,
            Factory.forProtocol(() => new Echo()),
          )
          .addCallback(() => reactor.whenStopped()),
    })
    const client = new AccumulatingProtocol()
    const [, child] = started(sim, host, 'server')
    sim.advance()
    connectProtocol(clientFromString(sim.host('client').reactor, 'tcp:host:7'), client)
    sim.advance()
    client.transport.write('hello')
    sim.advance()
    expect(client.text()).toBe('hello')
    child.signalProcess('SIGTERM')
    sim.advance()
    expect(client.closedReason?.name).toBe('ConnectionDone')
    const again = outcome(
      host.reactor.listenTCP(
        7,
        Factory.forProtocol(() => new Echo()),
      ),
    )
    sim.advance()
    expect(again.error).toBeUndefined()
  })
})

describe('a process that exits', () => {
  it('has all that it wrote read, however long that takes, and does nothing else meanwhile', () => {
    let ticks = 0
    const { sim, host } = worldWith({
      flood: (process) => {
        const tick = (): void => {
          process.reactor.callLater(1, tick)
          ticks++
        }
        tick()
        process.stdout.write(new Uint8Array(500_000))
        process.reactor.callLater(10.5, () => process.exit(3))
      },
    })
    const [seen, child] = started(sim, host, 'flood', new Patient())
    sim.advance(1000)
    expect([ticks, seen.exited, host.children.length]).toEqual([11, undefined, 1])
    child.resumeProducing()
    sim.advance()
    expect([seen.out.length, seen.ended]).toEqual([500_000, expect.objectContaining({ exitCode: 3 })])
  })

  it('that nobody reads can still be killed', () => {
    const { sim, host } = worldWith({
      flood: (process) => {
        process.stdout.write(new Uint8Array(500_000))
        process.exit()
      },
    })
    const [seen, child] = started(sim, host, 'flood', new Patient())
    sim.advance(1000)
    expect(sim.explain()).toContain('process:["/bin/flood"]: exits when 131072 bytes are read')
    child.abortConnection()
    sim.advance()
    expect(seen.ended).toMatchObject({ signal: 'SIGKILL' })
    expect([host.children, sim.pending]).toEqual([[], 0])
  })
})

describe('a signal', () => {
  it('that stops a process stops its time; what came meanwhile is there when it goes on', () => {
    const seen: [string, number][] = []
    const { sim, host } = worldWith({
      program: ({ reactor, stdio }) => {
        reactor.callLater(100, () => seen.push(['timer', sim.now]))
        stdio.deliverTo(
          new (class extends Protocol {
            override dataReceived(): void {
              seen.push(['data', sim.now])
            }
          })(),
        )
      },
    })
    const [, child, program] = started(sim, host, 'program')
    child.signalProcess('SIGSTOP')
    child.write('hello')
    sim.advance(1000)
    expect([seen, program.stopped, host.netstat()[0]?.state]).toEqual([[], true, 'stopped'])
    child.signalProcess('SIGCONT')
    sim.advance()
    expect(seen.toSorted()).toEqual([
      ['data', 1000],
      ['timer', 1000],
    ])
  })

  it('waits for a process that computes, if that wants to do something about it', () => {
    const heard: number[] = []
    const { sim, host } = worldWith({
      program: (process) => {
        process.onSignal('SIGUSR1', () => void heard.push(sim.now))
        process.reactor.busy(500)
      },
    })
    const [seen, child] = started(sim, host, 'program')
    child.signalProcess('SIGUSR1')
    sim.advance(499)
    expect(heard).toEqual([])
    sim.advance(1)
    expect(heard).toEqual([500])
    host.children[0]?.reactor.busy(500)
    child.signalProcess('SIGTERM')
    sim.advance()
    expect(seen.exited?.signal).toBe('SIGTERM')
  })

  it('waits for a process that is stopped, unless it is SIGKILL', () => {
    const { sim, host } = worldWith({ sleep })
    const [one, first] = started(sim, host, 'sleep')
    const [other, second] = started(sim, host, 'sleep')
    for (const child of [first, second]) child.signalProcess('SIGTSTP')
    first.signalProcess('SIGTERM')
    second.signalProcess('SIGKILL')
    sim.advance(1000)
    expect([one.exited, other.exited?.signal]).toEqual([undefined, 'SIGKILL'])
    first.signalProcess('SIGCONT')
    sim.advance()
    expect(one.exited?.signal).toBe('SIGTERM')
  })

  it('does nothing, or what the process wants', () => {
    const heard: string[] = []
    const { sim, host } = worldWith({
      program: (process) => {
        const undo = process.onSignal('SIGUSR1', () => void heard.push('first'))
        process.onSignal('SIGUSR2', undo)
        expect(() => process.onSignal('SIGKILL', () => {})).toThrow(TypeError)
        expect(() => process.onSignal('SIGPOEM', () => {})).toThrow(TypeError)
      },
    })
    const [seen, child] = started(sim, host, 'program')
    for (const signal of ['SIGCHLD', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const) {
      child.signalProcess(signal)
      sim.advance()
    }
    expect([heard, seen.exited]).toEqual([['first'], undefined])
    child.signalProcess('SIGUSR1')
    sim.advance()
    expect(seen.exited?.signal).toBe('SIGUSR1')
  })

  it('whose handler throws ends the process, as a program ends that throws', () => {
    const { sim, host } = worldWith({
      program: (process) =>
        void process.onSignal('SIGTERM', () => {
          throw new Error('not now')
        }),
    })
    const [seen, child] = started(sim, host, 'program')
    child.signalProcess('SIGTERM')
    sim.advance()
    expect([seen.err, seen.ended?.exitCode]).toEqual(['Error: not now\n', 1])
  })
})

describe('a parent that crashes', () => {
  it('leaves its children, who find the end of their input, and nobody who reads', () => {
    const found: string[] = []
    const { sim, host } = worldWith({
      child: ({ reactor, stdio }) => {
        stdio.deliverTo(
          new (class extends Protocol {
            override readConnectionLost(): void {
              found.push('end')
              reactor.callLater(10, () => this.transport.write('anybody?'))
            }
            override connectionLost({ cause }: Error): void {
              found.push(String((cause as { code?: string }).code))
            }
          })(),
        )
      },
    })
    const [seen] = started(sim, host, 'child')
    host.crash()
    sim.advance(1000)
    expect(found).toEqual(['end', 'EPIPE'])
    expect(seen.calls).toEqual(['connectionMade'])
    expect(host.children.map(({ pid }) => pid)).toEqual([2])
    expect(sim.explain()).toContain('host: crashed, no timers\n    pid 2, process:["/bin/child"]: runs, 0 timers')
  })

  it('for want of power takes them with it', () => {
    const { sim, host } = worldWith({ cat })
    const [seen] = started(sim, host, 'cat')
    host.crash('power')
    sim.advance(1000)
    expect([host.children, host.netstat(), seen.calls, sim.pending]).toEqual([[], [], ['connectionMade'], 0])
    host.restart()
    const [, child] = started(sim, host, 'cat')
    expect(child.pid).toBe(3)
  })

  it('by its own end has a child of its own left behind, which was told of nothing', () => {
    const { sim, host } = worldWith({
      cat,
      parent: (process) =>
        void process.reactor.spawnProcess(new Witness(), '/bin/sleep').addCallback(() => process.exit(2)),
      sleep,
    })
    const [seen] = started(sim, host, 'parent')
    sim.advance()
    expect(seen.ended).toMatchObject({ exitCode: 2 })
    expect(host.children).toHaveLength(1)
    expect(host.children[0]?.address.executable).toBe('/bin/sleep')
  })
})

describe('a fault', () => {
  it('kills the processes that run an executable, and no others', () => {
    const { sim, host } = worldWith({ cat, sleep })
    const [killed] = started(sim, host, 'sleep')
    const [lives] = started(sim, host, 'cat')
    sim.faults([{ at: 100, kind: 'kill', host: 'host', executable: '/bin/sleep' }])
    sim.advance(200)
    expect([killed.ended?.signal, lives.ended]).toEqual(['SIGKILL', undefined])
    sim.faults([{ at: 300, kind: 'kill', host: 'host' }])
    sim.advance(200)
    expect(lives.ended?.signal).toBe('SIGKILL')
  })

  it('stops them for a while', () => {
    const { sim, host } = worldWith({ cat })
    const [seen, child] = started(sim, host, 'cat')
    sim.faults([{ at: 100, kind: 'pause', host: 'host', executable: '/bin/cat', for: 500 }])
    sim.advance(200)
    child.write('hello')
    sim.advance(399)
    expect([seen.out, host.paused]).toEqual(['', false])
    sim.advance(1)
    expect(seen.out).toBe('hello')
  })

  it('that leaves no descriptors lets nothing be started', () => {
    const { sim, host } = worldWith({ cat })
    host.descriptorLimit = 0
    const child = outcome(host.reactor.spawn(new ProcessAddress('/bin/cat')))
    sim.advance()
    expect(child.error).toBeInstanceOf(SpawnError)
    expect(child.error).toMatchObject({ fault: 'limits' })
  })

  it('on packets is none of pipes', () => {
    const { sim, host } = worldWith({ cat }, { loss: 90, latency: 50 })
    sim.rule(() => 'drop')
    const [seen, child] = started(sim, host, 'cat')
    child.write('hello')
    sim.advance()
    expect(seen.out).toBe('hello')
  })
})

describe('whoever looks at a world', () => {
  it('finds its child processes, and what waits in their pipes', () => {
    const { sim, host } = worldWith({
      deaf: ({ stdout }) => stdout.write('12345'),
    })
    const [, child] = started(sim, host, 'deaf')
    child.pauseProducing()
    child.write('123')
    sim.advance()
    expect(host.netstat()).toMatchObject([
      { local: 'pid 2', remote: 'process:["/bin/deaf"]', state: 'running', unsent: 3 },
    ])
  })

  it('is told which of them live when nothing happens any more', async () => {
    const { sim, host } = worldWith({ sleep })
    const [, child] = started(sim, host, 'sleep')
    const ended = child.whenEnded()
    await expect(sim.runUntil(ended)).rejects.toThrow(
      /nothing is left to happen[^]*pid 2, process:\["\/bin\/sleep"\]: runs/,
    )
  })

  it('sees the same again with the same seed, and a trace that keeps its rules', () => {
    const run = (seed: number): { hash: string; events: readonly object[]; complaints: readonly object[] } => {
      const { sim, host } = worldWith(
        {
          cat,
          filter: (process) => {
            const wait = process.reactor.random() * 100
            process.reactor.callLater(wait, () => {
              process.stdout.write('x'.repeat(100_000))
              process.stderr.write('working')
              process.exit(process.reactor.random() < 0.5 ? 0 : 1)
            })
          },
        },
        { seed, ties: 'shuffled', delivery: 'random' },
      )
      const recorder = new Recorder({ now: () => sim.now })
      const restore = setTracer(recorder)
      const endings: ProcessEnding[] = []
      for (let n = 0; n < 5; n++) {
        host.reactor.spawnProcess(new Witness(), n % 2 === 0 ? '/bin/filter' : '/bin/cat').addCallback((child) => {
          child.write('hello'.repeat(n * 1000))
          child.closeStdin()
          child.whenEnded().addCallback((ending) => void endings.push(ending))
        })
      }
      sim.faults([{ at: 40, kind: 'kill', host: 'host', executable: '/bin/filter' }])
      sim.advance(1000)
      restore()
      expect(endings).toHaveLength(5)
      return { hash: sim.hash, events: recorder.events, complaints: lintTrace(recorder.events) }
    }
    onTestFinished(setTracer(undefined))
    const [one, again, other] = [run(1), run(1), run(2)]
    expect(again).toEqual(one)
    expect(one.events.length).toBeGreaterThan(200)
    expect(other.hash).not.toBe(one.hash)
    expect([...one.complaints, ...other.complaints]).toEqual([])
  })
})

class Question extends LineReceiver {
  readonly #word: string
  readonly #answered: () => void

  constructor(word: string, answered: () => void) {
    super()
    this.#word = word
    this.#answered = answered
  }

  override connectionMade(): void {
    this.sendLine(this.#word)
  }

  override lineReceived(line: Uint8Array): void {
    if (toText(line) === this.#word) this.#answered()
  }
}

/** Keeps a worker, starts another one whenever it ends, and asks each question until it is answered. */
function supervise(reactor: SimReactor, open: Set<string>): void {
  const [word] = open
  if (word === undefined) return
  const answered = (): void => {
    open.delete(word)
    void service.stopService().addCallback(() => supervise(reactor, open))
  }
  const factory = Factory.forProtocol(() => new Question(word, answered))
  const service = new ClientService(reactor, new ProcessEndpoint(reactor, '/bin/worker'), factory)
  service.startService()
}

const simTest = simTestWith(it)
const dangers = { seeds: 100, faults: [...faultKinds, 'kill'] } as const

simTest('a supervisor whose workers are killed again and again has its answers in the end', dangers, (sim) => {
  // It thinks for a while, which is when it is killed.
  const worker: Executable = ({ reactor }) =>
    new (class extends Protocol {
      override dataReceived(chunk: Uint8Array): void {
        reactor.callLater(4000, () => this.transport.write(chunk))
      }
    })()
  const host = sim.host('host', { executables: { worker } })
  const open = new Set(Array.from({ length: 15 }, (_, n) => `question ${n}`))
  host.run((reactor) => supervise(reactor, open))
  sim.invariant('orphans see the end of their input', () =>
    host.children.length > 2 ? `${host.children.length} workers` : undefined,
  )
  sim.eventually('all is answered', () => open.size === 0)
  sim.eventually('no worker is left', () => host.children.length === 0)
})
