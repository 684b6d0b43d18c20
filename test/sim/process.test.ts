/** Programs that are busy, stopped, killed and started again, while their kernels go on. */
import {
  ConnectError,
  type Connection,
  ConnectionRefusedError,
  Deferred,
  Factory,
  Protocol,
  UNIXAddress,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { pattern, Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reports } from '../reports.ts'
import { outcome, tcp, World } from './stage.ts'

describe('a busy program', () => {
  it('hears of what came meanwhile when it is done, and not before', () => {
    const world = new World({ latency: 10 })
    const heard: [string, number][] = []
    const { near } = world.connect(
      {},
      { data: (_self, chunk) => void heard.push([String(chunk.length), world.sim.now]) },
    )
    world.server.busy(500)
    near.transport.write(pattern(10))
    world.sim.advance(100)
    expect([heard, world.server.netstat()[1]?.unread]).toEqual([[], 10])
    near.transport.write(pattern(20))
    world.sim.advance(1000)
    expect(heard).toEqual([
      ['10', 1500],
      ['20', 1500],
    ])
  })

  it('has a time of its own, in which its timers are set and its bytes leave', () => {
    const world = new World({ latency: 10 })
    const seen: [string, number][] = []
    world.connect({ data: (_self, chunk) => void seen.push([`got ${chunk.length}`, world.sim.now]) })
    const server = world.served[0]!
    world.server.reactor.callLater(100, () => {
      world.server.busy(50)
      seen.push(['its time', world.server.reactor.now()])
      world.server.reactor.callLater(5, () => seen.push(['timer', world.server.reactor.now()]))
      server.transport.write('done')
    })
    world.sim.advance(1000)
    expect(seen).toEqual([
      ['its time', 1150],
      ['timer', 1155],
      ['got 4', 1160],
    ])
  })

  it('accepts what came meanwhile at once, as far as its backlog went', () => {
    const world = new World({ latency: 10 })
    world.listen({}, { backlog: 2 })
    world.server.busy(500)
    const dialed = Array.from({ length: 5 }, () => world.dial())
    world.sim.advance(100)
    // The kernel has answered them all; those that it had no room for are still waiting for the last word.
    expect(world.served).toEqual([])
    world.sim.advance(10_000)
    expect(world.served).toHaveLength(5)
    expect(dialed.filter(({ value }) => value !== undefined)).toHaveLength(5)
  })

  it('that is full lets attempts wait and ask again', () => {
    const world = new World({ latency: 10 })
    world.listen({}, { backlog: 1 })
    world.server.busy(500)
    const early = [world.dial(), world.dial()]
    world.sim.advance(100)
    const late = world.dial()
    world.sim.advance(900)
    expect(early.map(({ value }) => value === undefined)).toEqual([false, false])
    expect(late.value).toBeUndefined()
    world.sim.advance(150)
    expect(late.value).toBeDefined()
  })

  it('is busy for no negative time', () => {
    expect(() => new World().server.busy(-1)).toThrow(RangeError)
  })
})

describe('a program that was stopped', () => {
  it('goes on where it was: timers and bytes wait', () => {
    const world = new World({ latency: 10 })
    const seen: [string, number][] = []
    const { near } = world.connect({}, { data: () => void seen.push(['data', world.sim.now]) })
    world.server.reactor.callLater(100, () => seen.push(['timer', world.sim.now]))
    const cancelled = world.server.reactor.callLater(100, () => seen.push(['cancelled', world.sim.now]))
    world.server.pause()
    near.transport.write('hello')
    world.sim.advance(10_000)
    expect([seen, world.server.paused]).toEqual([[], true])
    cancelled.cancel()
    world.server.resume()
    world.sim.advance(1)
    expect(seen.toSorted()).toEqual([
      ['data', 11_000],
      ['timer', 11_000],
    ])
  })

  it('holds back who writes to it', () => {
    const world = new World()
    const { near } = world.connect()
    world.server.pause()
    near.transport.write(pattern(200_000))
    world.sim.advance(1000)
    expect(near.transport.queued).toBe(200_000 - 2 * 65_536)
    world.server.resume()
    world.sim.advance(1000)
    expect(world.served[0]!.size).toBe(200_000)
  })
})

describe('a program that is killed', () => {
  it('is told nothing; its peers are told by its kernel', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    let called = 0
    world.server.reactor.callLater(1, () => called++)
    world.server.crash()
    world.sim.advance(100)
    expect([near.reason?.name, far.calls, called]).toEqual(['ConnectionDone', ['made'], 0])
    expect(world.server.netstat()).toEqual([])
  })

  it('with something that it had not read resets its peers', () => {
    const world = new World({ latency: 10 })
    const { near } = world.connect({}, { made: (self) => self.transport.pauseProducing() })
    near.transport.write('hello')
    world.sim.advance(100)
    world.server.crash()
    world.sim.advance(100)
    expect(near.reason).toMatchObject({ cause: { code: 'ECONNRESET' } })
  })

  it('refuses connections until it is started again', () => {
    const world = new World({ latency: 10 })
    world.server.run((reactor) =>
      reactor.listenTCP(
        80,
        Factory.forProtocol(() => new Witness()),
      ),
    )
    world.sim.advance(100)
    world.server.crash()
    const refused = world.dial()
    world.sim.advance(100)
    expect(refused.error).toBeInstanceOf(ConnectionRefusedError)
    world.server.restart()
    world.sim.advance(100)
    const connected = world.dial()
    world.sim.advance(100)
    expect(connected.value).toBeDefined()
  })

  it('leaves its socket in the file system, which the next one takes over', () => {
    const sim = new Sim()
    const host = sim.host('host')
    const path = new UNIXAddress('/run/poetry')
    const served: Connection[] = []
    host.run((reactor) => reactor.listen(path, (connection) => served.push(connection)))
    sim.advance()
    host.crash()
    host.run(() => {})
    host.restart()
    const dead = outcome(host.reactor.dial(path))
    sim.advance()
    expect(dead.error).toBeInstanceOf(ConnectionRefusedError)
    const opened = outcome(host.reactor.listen(path, (connection) => served.push(connection)))
    sim.advance()
    expect(opened.error).toBeUndefined()
    host.reactor.dial(path)
    sim.advance()
    expect(served).toHaveLength(1)
  })

  it('has attempts of its own that nobody hears of again', () => {
    const world = new World({ latency: 10 })
    world.listen()
    const dialed = world.dial()
    world.sim.advance(5)
    world.client.crash()
    world.sim.advance(100_000)
    expect([dialed, world.served, world.sim.pending]).toEqual([{}, [], 0])
  })

  it('does not go on in what is left of it', async () => {
    const { sim, server } = new World()
    const errors = reports()
    const steps: string[] = []
    const walk = async (): Promise<void> => {
      steps.push('start')
      const slept = new Deferred<void>()
      server.reactor.callLater(10, () => slept.callback())
      await slept
      steps.push('woke')
      server.crash()
      await Promise.resolve()
      // It goes on for the rest of this turn, and reaches nothing.
      const dead = first
      dead.callLater(1, () => steps.push('timer of the dead'))
      await dead.resolve('server')
      steps.push('answer to the dead')
    }
    const first = server.reactor
    void walk()
    await sim.runFor(1000)
    expect([steps, errors, sim.pending]).toEqual([['start', 'woke'], [], 0])
    expect(outcome(first.dial(tcp('10.0.0.1', 80)))).toEqual({})
  })

  it('starts with a reactor of its own, whose chance goes on elsewhere', () => {
    const { server } = new World()
    const before = server.reactor
    const numbers = [before.random()]
    server.crash()
    expect(server.crashed).toBe(true)
    server.restart()
    server.restart()
    expect(server.reactor).not.toBe(before)
    expect([server.crashed, server.reactor.generation]).toEqual([false, 2])
    expect(numbers).not.toContain(server.reactor.random())
  })
})

describe('a machine without power', () => {
  it('says nothing to anybody: who writes times out, who waits finds out by asking', () => {
    const world = new World({ latency: 10 })
    const writes = world.connect()
    const waits = world.connect()
    world.server.crash('power')
    writes.near.transport.write('hello')
    world.sim.advance(900_000)
    expect(writes.near.reason).toBeUndefined()
    expect(waits.near.reason).toMatchObject({ cause: { code: 'ETIMEDOUT' } })
    world.sim.advance(100_000)
    expect(writes.near.reason).toMatchObject({ cause: { code: 'ETIMEDOUT' } })
    expect(world.sim.pending).toBe(0)
  })

  it('that has it again knows nothing of its connections, and says so', () => {
    const world = new World({ latency: 10 })
    const writes = world.connect()
    const waits = world.connect()
    world.server.crash('power')
    world.sim.advance(1000)
    world.server.restart()
    writes.near.transport.write('hello')
    world.sim.advance(1000)
    expect(writes.near.reason).toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(waits.near.reason).toBeUndefined()
    world.sim.advance(60_000)
    expect(waits.near.reason).toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(world.sim.pending).toBe(0)
  })
})

describe('descriptors', () => {
  it('that are used up fail attempts and listeners', () => {
    const world = new World()
    world.listen()
    world.client.descriptorLimit = 2
    const dialed = Array.from({ length: 3 }, () => world.dial())
    const listened = outcome(world.client.reactor.listen(tcp('0.0.0.0', 80), () => {}))
    world.sim.advance()
    expect(dialed.map(({ error }) => error instanceof ConnectError)).toEqual([false, false, true])
    expect(String(dialed[2]?.error)).toContain('too many open files')
    expect(listened.error).toMatchObject({ name: 'CannotListenError' })
    dialed[0]?.value?.abortConnection()
    world.sim.advance()
    const again = world.dial()
    world.sim.advance()
    expect(again.value).toBeDefined()
  })

  it('that a server has not get who comes closed at once, and the server notices nothing', () => {
    const world = new World()
    world.server.descriptorLimit = 2
    const first = world.connect()
    const second = world.dial()
    const witness = new Witness()
    world.sim.advance()
    second.value?.deliverTo(witness)
    world.sim.advance()
    expect([world.served.length, witness.reason?.name]).toEqual([1, 'ConnectionDone'])
    first.near.transport.loseConnection()
    world.sim.advance()
    world.connect()
    expect(world.served).toHaveLength(2)
  })
})

describe('names', () => {
  it.each<[answer: 'unknown' | 'unavailable' | readonly string[], result: object]>([
    [
      'unknown',
      { error: expect.objectContaining({ message: 'server: unknown host (is the name spelled right?)' }) as Error },
    ],
    [
      'unavailable',
      { error: expect.objectContaining({ message: expect.stringContaining('may work later') as string }) as Error },
    ],
    [[], { value: [] }],
    [['192.0.2.1', '::1'], { value: [{ host: '192.0.2.1' }, { host: '::1' }] }],
  ])('may be answered with %s', (answer, result) => {
    const { sim, client } = new World()
    sim.name('SERVER', answer)
    const found = outcome(client.reactor.resolve('server'))
    sim.advance()
    expect(found).toMatchObject(result)
    sim.name('server', undefined)
    const again = outcome(client.reactor.resolve('server'))
    sim.advance()
    expect(again.value).toMatchObject([{ host: '10.0.0.1' }])
  })

  it('may never be answered, and whoever asks gives up', () => {
    const { sim, client } = new World()
    sim.name('server', 'silent')
    const found = outcome(client.reactor.resolve('server').addTimeout(500, client.reactor))
    sim.advance(1000)
    expect(found.error).toMatchObject({ name: 'TimeoutError' })
    expect(() => sim.name('server', ['server'])).toThrow('the answer for server is a list of IP addresses')
  })
})

describe('a socket in the file system', () => {
  const path = new UNIXAddress('/run/poetry')

  it('connects programs of one host, without a name at the client', () => {
    const world = new World({ latency: 10 })
    world.listen({}, {}, path)
    const dialed = outcome(world.server.reactor.dial(path))
    const elsewhere = outcome(world.client.reactor.dial(path))
    world.sim.advance()
    const witness = new Witness({ made: (self) => self.transport.write('hello') })
    dialed.value?.deliverTo(witness)
    world.sim.advance()
    expect(world.served[0]?.text).toBe('hello')
    expect([dialed.value?.peer, dialed.value?.host].map(String)).toEqual(['unix:/run/poetry', 'unix:(unnamed)'])
    expect(String(elsewhere.error)).toContain('there is no such socket')
  })

  it.each([
    ['', 'the path is empty'],
    ['/run/poetry', 'somebody listens at this path'],
    [`/${'x'.repeat(107)}`, '107 bytes at most, this one has 108'],
  ])('cannot be at %j', (wanted, why) => {
    const world = new World()
    world.listen({}, {}, path)
    const opened = outcome(world.server.reactor.listen(new UNIXAddress(wanted), () => {}))
    world.sim.advance()
    expect(String(opened.error)).toContain(why)
  })

  it('says that it is full', () => {
    const world = new World()
    world.listen({}, { backlog: 0 }, path)
    world.server.pause()
    const dialed = Array.from({ length: 3 }, () => outcome(world.server.reactor.dial(path)))
    world.sim.advance()
    world.server.resume()
    world.sim.advance()
    expect(dialed.map(({ error }) => error === undefined)).toEqual([true, false, false])
    expect(String(dialed[2]?.error)).toContain('too many connections wait for the server')
  })
})

describe('netstat', () => {
  it('shows what is open, with what waits in it', () => {
    const world = new World({ latency: 10 })
    world.connect({}, { made: (self) => self.transport.pauseProducing() }).near.transport.write(pattern(200_000))
    world.dial()
    world.sim.advance(5)
    world.dial()
    world.sim.advance(10)
    expect(world.sim.netstat().split('\n')).toEqual([
      'host    local           remote          state       unread  unsent',
      'server  0.0.0.0:80      *               listening   0       0',
      'server  10.0.0.1:80     10.0.0.2:49152  open        65536   0',
      'client  *               10.0.0.1:80     connecting  0       0',
      'client  *               10.0.0.1:80     connecting  0       0',
      'client  10.0.0.2:49152  10.0.0.1:80     open        0       134464',
    ])
  })

  it('is part of what is said when nothing happens any more', async () => {
    const world = new World({ latency: 10 })
    world.connect()
    const never = new Deferred()
    const waiting = world.sim.runUntil(never)
    await expect(waiting).rejects.toThrow(/nothing is left to happen[^]*server: runs, no timers[^]*10\.0\.0\.2:49152/)
    never.cancel()
  })
})

describe('a protocol that crashes its own host', () => {
  it('is not told of it', () => {
    const world = new World({ latency: 10 })
    class Bomb extends Protocol {
      lost = 0
      override dataReceived(): void {
        world.server.crash()
        this.transport.write('not sent')
        this.transport.loseConnection()
      }
      override connectionLost(): void {
        this.lost++
      }
    }
    const bombs: Bomb[] = []
    world.server.run((reactor) =>
      reactor.listenTCP(
        80,
        Factory.forProtocol(() => bombs[bombs.push(new Bomb()) - 1]!),
      ),
    )
    world.sim.advance()
    const dialed = world.dial()
    world.sim.advance(100)
    const near = new Witness({ made: (self) => self.transport.write('tick') })
    dialed.value?.deliverTo(near)
    world.sim.advance(100_000)
    expect([bombs.map(({ lost }) => lost), near.text, near.reason?.name]).toEqual([[0], '', 'ConnectionDone'])
    expect(world.sim.pending).toBe(0)
  })
})
