/** `react` with a process that only writes down what becomes of it; react-process.test.ts has the real ones. */
import { EventEmitter } from 'node:events'
import { clientFromString, Deferred, Factory } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { Witness } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Main, type ProcessLike, Run } from '../../src/framework/node/react.ts'
import { ReactorByHand, turns, until } from './loopback.ts'

class Output extends EventEmitter {
  text = ''
  /** Whether what is written leaves at once. */
  stuck: (() => void)[] | undefined

  write(text: string, done?: () => void): boolean {
    this.text += text
    if (this.stuck === undefined) done?.()
    else if (done !== undefined) this.stuck.push(done)
    return true
  }
}

class FakeProcess extends EventEmitter {
  readonly argv = ['node', '/somewhere/poetry.ts']
  readonly env: NodeJS.ProcessEnv = {}
  readonly stdout = new Output()
  readonly stderr = new Output()
  readonly exits: number[] = []

  exit(code: number): void {
    this.exits.push(code)
  }
}

function start<R extends NodeReactor = NodeReactor>(
  main: Main,
  drain = 5000,
  reactor = new NodeReactor() as R,
): { process: FakeProcess; reactor: R } {
  const process = new FakeProcess()
  onTestFinished(() => reactor.stopPorts({ drain: 0 }).toPromise())
  new Run(reactor, process as unknown as ProcessLike, drain).start(main, ['one', 'two'])
  return { process, reactor }
}

/** What nobody fires, as long as the test lasts. */
const forEver = (): Deferred<void> => {
  const never = new Deferred<void>()
  onTestFinished(() => never.cancel())
  return never
}

/** A server with one client, which hangs on. */
async function serving(reactor: NodeReactor, protocol = new Witness({ stopping: () => {} })): Promise<Witness> {
  const port = await reactor.listenTCP(
    0,
    Factory.forProtocol(() => protocol),
    { interface: '127.0.0.1' },
  )
  const client = new Witness()
  ;(await reactor.dial(port.host)).deliverTo(client)
  await until(() => port.connections > 0)
  return client
}

describe('react', () => {
  it('gives main the reactor and the words of the command line', async () => {
    let got: unknown[] = []
    const { reactor } = start((...args) => {
      got = args
    })
    expect(got).toEqual([reactor, 'one', 'two'])
    await turns(2)
  })

  it.each<[how: string, main: Main]>([
    ['returned a value', () => 42],
    ['returned a promise', () => Promise.resolve()],
    [
      'returned a Deferred',
      (reactor) => {
        const done = new Deferred<void>()
        reactor.callLater(1, () => done.callback())
        return done
      },
    ],
    [
      'left a timer',
      (reactor) => {
        const call = reactor.callLater(60_000, () => {})
        onTestFinished(() => call.cancel())
      },
    ],
    ['left a server', (reactor) => serving(reactor)],
  ])('exits with 0 when main %s, and leaves no listener behind', async (_how, main) => {
    const { process } = start(main)
    await until(() => process.exits.length > 0)
    expect([process.exits, process.stderr.text]).toEqual([[0], ''])
    expect([...process.eventNames(), ...process.stdout.eventNames()]).toEqual([])
  })

  const foreseen = Object.assign(new Error('127.0.0.1:1: connection refused'), { code: 'ERR_CONNECTION_REFUSED' })

  it.each<[how: string, main: Main]>([
    [
      'throws',
      () => {
        throw foreseen
      },
    ],
    ['returns a promise that is rejected', () => Promise.reject(foreseen)],
    [
      'returns a Deferred that fails',
      () => {
        const failed = new Deferred<void>()
        failed.errback(foreseen)
        return failed
      },
    ],
  ])('exits with 1 and one line when main %s', async (_how, main) => {
    const { process } = start(main)
    await turns(3)
    expect([process.exits, process.stderr.text]).toEqual([[1], 'poetry: 127.0.0.1:1: connection refused\n'])
  })

  it.each<[exitCode: unknown, expected: number]>([
    [68, 68],
    [0, 0],
    [256, 1],
    [1.5, 1],
    ['68', 1],
  ])('takes the exit code %j from the error', async (exitCode, expected) => {
    const { process } = start(() => Promise.reject(Object.assign(new Error('no such host'), { exitCode })))
    await turns(3)
    expect(process.exits).toEqual([expected])
  })

  it('shows the stack of an error that nobody foresaw, and of any with NODE_DEBUG=couplet', async () => {
    const bug = start(() => Promise.reject(new TypeError('undefined is not a function')))
    await turns(3)
    expect(bug.process.stderr.text).toMatch(/^poetry: TypeError: undefined is not a function\n +at /)
    const process = new FakeProcess()
    process.env['NODE_DEBUG'] = 'net,couplet'
    new Run(new NodeReactor(), process as unknown as ProcessLike, 1).start(() => Promise.reject(foreseen), [])
    await turns(3)
    expect(process.stderr.text).toMatch(/^poetry: Error: 127\.0\.0\.1:1: connection refused\n +at /)
  })

  it('writes what a peer said harmlessly, and no line of it can be taken for one of ours', async () => {
    const said = Object.assign(new Error('it said \u001B[2J\npoetry: all is well'), { code: 'ERR_REMOTE_PROTOCOL' })
    const { process } = start(() => Promise.reject(said))
    await turns(3)
    expect(process.stderr.text).toBe('poetry: it said \\x1b[2J\n  poetry: all is well\n')
  })

  it('points at what is wrong in an endpoint, in lines below each other', async () => {
    const { process } = start(async (reactor) => clientFromString(reactor, 'tpc:127.0.0.1:10000'))
    await turns(3)
    expect(process.stderr.text.split('\n').slice(0, 3)).toEqual([
      'poetry: no client endpoint has the type "tpc"',
      '  tpc:127.0.0.1:10000',
      '  ^',
    ])
  })

  it.each([
    ['null', null],
    ['a text', 'oops'],
  ])('survives main throwing %s', async (_what, thrown) => {
    const { process } = start(() => {
      // oxlint-disable-next-line typescript/only-throw-error -- it happens
      throw thrown
    })
    await turns(3)
    expect(process.exits).toEqual([1])
    expect(process.stderr.text).toMatch(/^poetry: ('oops'|null)\n$/)
  })

  it('lets what was written leave first', async () => {
    const process = new FakeProcess()
    process.stdout.stuck = []
    new Run(new NodeReactor(), process as unknown as ProcessLike, 1).start(() => {}, [])
    await turns(5)
    expect(process.exits).toEqual([])
    for (const done of process.stdout.stuck.splice(0)) done()
    expect(process.exits).toEqual([0])
  })

  it('says so when nothing is left to wait for', async () => {
    const { process } = start(forEver)
    process.emit('beforeExit')
    await turns(3)
    expect(process.exits).toEqual([70])
    expect(process.stderr.text).toMatch(/^poetry: nothing is left to wait for, but main has not finished/)
  })

  it('stays for somebody who waits for the signal alone', async () => {
    const { process } = start((reactor) => reactor.whenStopped())
    process.emit('beforeExit')
    await turns(3)
    expect(process.exits).toEqual([])
    process.emit('SIGINT', 'SIGINT')
    await turns(5)
    expect(process.exits).toEqual([0])
  })

  it.each([
    ['EPIPE', 141, ''],
    ['ENOSPC', 1, 'poetry: cannot write output: no space\n'],
  ])('ends when stdout fails with %s', (code, exit, text) => {
    const { process } = start(forEver)
    process.stdout.emit('error', Object.assign(new Error('no space'), { code }))
    expect([process.exits, process.stderr.text]).toEqual([[exit], text])
  })
})

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('on %s, react', (signal, code) => {
  it('tells those who wait, and exits with 0 when main has finished', async () => {
    const why: string[] = []
    const { process } = start(async (reactor) => {
      why.push(await reactor.whenStopped())
    })
    process.emit(signal, signal)
    await turns(5)
    expect([why, process.exits]).toEqual([[signal], [0]])
  })

  it(`ends at once with ${code} when nobody waits and nothing drains`, async () => {
    const { process } = start(forEver)
    process.emit(signal, signal)
    await turns(5)
    expect(process.exits).toEqual([code])
  })

  it('closes the ports and lets connections finish before it exits', async () => {
    const seen: { client?: Witness } = {}
    const { process, reactor } = start(async (reactor) => {
      seen.client = await serving(reactor, new Witness())
      await reactor.whenStopped()
    })
    await until(() => seen.client !== undefined)
    process.emit(signal, signal)
    expect(process.exits).toEqual([])
    await until(() => process.exits.length > 0 && reactor.stats().open === 0)
    expect(process.exits).toEqual([0])
    expect(seen.client?.reason?.name).toBe('ConnectionDone')
    expect(reactor.stats().ports).toBe(0)
  })

  it('aborts at the deadline what hangs on', async () => {
    const seen: { client?: Witness } = {}
    const main: Main = async (reactor) => {
      seen.client = await serving(reactor)
      await reactor.whenStopped()
    }
    const { process, reactor } = start(main, 30, new ReactorByHand())
    await until(() => seen.client !== undefined)
    process.emit(signal, signal)
    reactor.clock.advance(29)
    await turns(3)
    expect(process.exits).toEqual([])
    reactor.clock.advance(1)
    await until(() => process.exits.length > 0 && seen.client?.reason !== undefined)
    expect(process.exits).toEqual([0])
    expect(seen.client?.reason?.name).toBe('ConnectionLost')
  })

  it(`exits with ${code} when main has not finished by the deadline`, async () => {
    const main: Main = (reactor) => reactor.whenStopped().addCallback(forEver)
    const { process, reactor } = start(main, 20, new ReactorByHand())
    process.emit(signal, signal)
    reactor.clock.advance(19)
    await turns(3)
    expect(process.exits).toEqual([])
    reactor.clock.advance(1)
    await until(() => process.exits.length > 0)
    expect(process.exits).toEqual([code])
  })

  it(`exits at once with ${code} at the second signal`, async () => {
    const seen: { client?: Witness } = {}
    const { process } = start(async (reactor) => {
      seen.client = await serving(reactor)
      await reactor.whenStopped()
      await forEver()
    })
    await until(() => seen.client !== undefined)
    process.emit(signal, signal)
    await turns(3)
    expect(process.exits).toEqual([])
    process.emit(signal, signal)
    expect(process.exits).toEqual([code])
    // What was said by halves must not look whole.
    await until(() => seen.client?.reason !== undefined)
    expect(seen.client?.reason?.name).toBe('ConnectionAborted')
  })

  it('fails in silence where all has been said', async () => {
    const { process } = start(() => Promise.reject(Object.assign(new Error(''), { exitCode: 74 })))
    await turns(3)
    expect([process.exits, process.stderr.text]).toEqual([[74], ''])
  })

  it('fails with what main makes of it', async () => {
    const { process } = start(async (reactor) => {
      await reactor.whenStopped()
      throw Object.assign(new Error('half a poem'), { exitCode: 74 })
    })
    process.emit(signal, signal)
    await turns(5)
    expect([process.exits, process.stderr.text]).toEqual([[74], 'poetry: half a poem\n'])
  })
})

describe('reactor.stop', () => {
  it('drains as a signal does, without a deadline for main', async () => {
    const seen: { client?: Witness } = {}
    const { process } = start(async (reactor) => {
      seen.client = await serving(reactor, new Witness())
      reactor.callLater(1, () => reactor.stop('enough'))
      expect(await reactor.whenStopped()).toBe('enough')
    })
    await until(() => process.exits.length > 0 && seen.client?.reason !== undefined)
    expect(process.exits).toEqual([0])
    expect(seen.client?.reason?.name).toBe('ConnectionDone')
  })
})
