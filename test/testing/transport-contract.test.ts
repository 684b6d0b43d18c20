/** A contract that cannot fail is a defect: transports with one defect each, and the chapter that notices it. */
import { spawnSync } from 'node:child_process'
import {
  type Connection,
  type ConnectionClosed,
  ConnectionDone,
  Deferred,
  type Hook,
  IPv4Address,
  Layer,
  type LoseOptions,
  type Protocol,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { type ContractOptions, transportContract, type TransportWorld } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

/** A test that the contract defined. */
interface Defined {
  readonly chapter: string
  readonly name: string
  readonly skipped: boolean
  readonly body: () => Promise<void>
}

/** A test runner of the smallest kind: it collects. */
function collect(
  makeWorld: () => TransportWorld,
  lacks: NonNullable<ContractOptions['lacks']> = ['network'],
): Defined[] {
  const defined: Defined[] = []
  let chapter = ''
  const define =
    (skipped: boolean) =>
    (name: string, body: () => Promise<void>): void =>
      void defined.push({ chapter, name, skipped, body })
  transportContract(makeWorld, {
    describe(title, body) {
      chapter = title
      body()
    },
    it: Object.assign(define(false), { skip: define(true) }),
    lacks,
  })
  return defined
}

/** A simulated network whose connections go through `wrap`, and may forget their limits. */
function simulated(wrap: (connection: Connection) => Connection, bounded = true): TransportWorld {
  const sim = new Sim()
  const near = sim.host('near').reactor
  const far = sim.host('far').reactor
  return {
    plenty: 1 << 20,
    async pair(given = {}) {
      const limits = bounded ? given : { ...given, near: { ...given.near, maxSendQueue: Infinity } }
      const accepted = new Deferred<Connection>()
      const accept = (connection: Connection): void => accepted.callback(connection)
      const port = await sim.runUntil(far.listen(new IPv4Address('TCP', '10.0.0.2', 0), accept, limits.far))
      const dialed = await sim.runUntil(near.dial(port.host, limits.near))
      return [wrap(dialed), wrap(await sim.runUntil(accepted))]
    },
    settle: () => sim.runFor(0),
  }
}

/** Runs one chapter, and says what failed. */
async function failures(chapter: string, makeWorld: () => TransportWorld): Promise<string[]> {
  const failed: string[] = []
  for (const test of collect(makeWorld).filter((each) => each.chapter === chapter && !each.skipped)) {
    await test.body().catch((error: unknown) => {
      expect(error, test.name).toBeInstanceOf(Error)
      failed.push(test.name)
    })
  }
  return failed
}

const defects: Record<string, [chapter: string, wrap: (connection: Connection) => Connection]> = {
  'says connectionLost twice': [
    'loseConnection',
    (connection) =>
      new (class extends Layer {
        override connectionLost(reason: ConnectionClosed): Hook {
          void super.connectionLost(reason)
          return super.connectionLost(reason)
        }
      })(connection),
  ],
  'calls every end a clean one': [
    'abortConnection',
    (connection) =>
      new (class extends Layer {
        override connectionLost(): Hook {
          return super.connectionLost(new ConnectionDone())
        }
      })(connection),
  ],
  'says connectionLost inside abortConnection': [
    'abortConnection',
    (connection) =>
      new (class extends Layer {
        #told = false
        override abortConnection(cause?: Error): void {
          super.abortConnection(cause)
          void this.connectionLost(new ConnectionDone())
        }
        override connectionLost(reason: ConnectionClosed): Hook {
          if (this.#told) return
          this.#told = true
          return super.connectionLost(reason)
        }
      })(connection),
  ],
  'does not pause': [
    'pauses',
    (connection) =>
      new (class extends Layer {
        override pauseProducing(): void {}
      })(connection),
  ],
  'loses a byte of a large chunk': [
    'delivers bytes',
    (connection) =>
      new (class extends Layer {
        override dataReceived(chunk: Uint8Array): Hook {
          return super.dataReceived(chunk.length > 1000 ? chunk.subarray(1) : chunk)
        }
      })(connection),
  ],
  'delivers in memory that it uses again': [
    'delivers bytes',
    (connection) =>
      new (class extends Layer {
        readonly #memory = new Uint8Array(65_536)
        override dataReceived(chunk: Uint8Array): Hook {
          this.#memory.set(chunk)
          return super.dataReceived(this.#memory.subarray(0, chunk.length))
        }
      })(connection),
  ],
  'aborts when it is to close': [
    'loseConnection',
    (connection) =>
      new (class extends Layer {
        override loseConnection(options: LoseOptions = {}): void {
          this.abortConnection(options.cause)
        }
      })(connection),
  ],
  'forgets the cause': [
    'a hook that fails',
    (connection) =>
      new (class extends Layer {
        override hookFailed(): void {
          this.transport.abortConnection()
        }
        override dataReceived(chunk: Uint8Array): Hook {
          this.guard('dataReceived', () => super.dataReceived(chunk))
        }
      })(connection),
  ],
  'does not wait for its producer': [
    'a push producer',
    (connection) =>
      new (class extends Layer {
        override loseConnection(options?: LoseOptions): void {
          this.unregisterProducer()
          super.loseConnection(options)
        }
      })(connection),
  ],
  'knows nothing of half a close': [
    'half close',
    (connection) =>
      new (class extends Layer {
        override loseWriteConnection(): void {
          this.loseConnection()
        }
      })(connection),
  ],
  'takes a second protocol': [
    'takes one protocol',
    (connection) =>
      new (class extends Layer {
        protected override wrap(protocol: Protocol): void {
          this.wrappedProtocol = undefined
          super.wrap(protocol)
        }
        override deliverTo(protocol: Protocol): void {
          if (this.wrappedProtocol === undefined) super.deliverTo(protocol)
          else this.wrap(protocol)
        }
      })(connection),
  ],
}

describe('the contract of transports', () => {
  it.each(Object.entries(defects))('notices a transport that %s', async (_defect, [chapter, wrap]) => {
    const sound = (): TransportWorld => simulated((connection) => new Layer(connection))
    expect(await failures(chapter, sound), 'without the defect').toEqual([])
    expect(await failures(chapter, () => simulated(wrap))).not.toEqual([])
  })

  it('notices a transport that lets anything wait', async () => {
    const unbounded = (): TransportWorld => simulated((connection) => connection, false)
    expect(await failures('bounds what waits', unbounded)).toHaveLength(2)
  })

  it('notices buffers that its plenty does not fill, and says so', async () => {
    const world = (): TransportWorld => ({ ...simulated((connection) => connection), plenty: 1000 })
    const clogs = collect(world).find(({ name }) => name.endsWith('a clogged pair'))
    await expect(clogs?.body()).rejects.toThrow(/is a plenty of 1000 bytes too little\?/)
  })

  it('skips by name what a transport cannot do, and has about a hundred tests besides', () => {
    const world = (): TransportWorld => simulated((connection) => connection)
    const all = collect(world, [])
    expect(all.filter(({ skipped }) => skipped)).toEqual([])
    expect(all.length).toBeGreaterThan(100)
    const some = collect(world, ['half close', 'reset', 'addresses', 'network'])
    expect(some.length).toBe(all.length)
    const skipped = some.filter(({ skipped: is }) => is)
    expect(skipped.length).toBeGreaterThan(20)
    expect(skipped.length).toBeLessThan(all.length / 2)
    expect(skipped.map(({ name }) => name)).toContain('twice is the same as once (it lacks: half close)')
  })

  it('puts the reporter back and closes the world when a test fails', async () => {
    let closed = 0
    const world = (): TransportWorld => ({
      ...simulated((connection) => connection),
      pair: () => Promise.reject(new Error('no pigeons today')),
      close: () => void closed++,
    })
    await expect(collect(world)[0]?.body()).rejects.toThrow('no pigeons today')
    expect(closed).toBe(1)
  })

  it('is run by the test runner of Node as well, which is not the one that it was written with', () => {
    const text = `
      import { describe, it } from 'node:test'
      import { Deferred, IPv4Address } from 'couplet'
      import { Sim } from 'couplet/sim'
      import { transportContract } from 'couplet/testing'

      const makeWorld = () => {
        // The loader of sources looks at the clock whenever it likes.
        const sim = new Sim({ escapes: 'allowed' })
        const [near, far] = [sim.host('near').reactor, sim.host('far').reactor]
        return {
          plenty: 1 << 20,
          settle: () => sim.runFor(0),
          async pair(limits = {}) {
            const accepted = new Deferred()
            const anywhere = new IPv4Address('TCP', '10.0.0.2', 0)
            const port = await sim.runUntil(far.listen(anywhere, (one) => accepted.callback(one), limits.far))
            return [await sim.runUntil(near.dial(port.host, limits.near)), await sim.runUntil(accepted)]
          },
        }
      }
      transportContract(makeWorld, { describe, it, lacks: ['network'] })`
    const args = ['-C', '@couplet/source', '--import', 'tsx', '--test-reporter=tap', '--input-type=module', '-e', text]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect([stdout.match(/^ *not ok[^]{0,1200}/m)?.[0], status, stderr]).toEqual([undefined, 0, ''])
    expect(stdout).toMatch(/^# pass (9\d|1\d\d)$/m)
    expect(stdout).toMatch(/^# fail 0$/m)
    expect(stdout).toMatch(/^# skipped 14$/m)
  })
})
