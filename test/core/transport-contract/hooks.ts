/** The contract of transports, part four: what your code throws ends its own connection, and nothing else. */
import { describe, expect, it } from 'vitest'
import { attach, ConnectionAborted, Factory } from 'couplet'
import { connect, type MakeWorld, reports, type Script, Witness } from './world.ts'

const write: Script = { made: (self) => self.transport.write('x') }
const lose: Script = { made: (self) => self.transport.loseConnection() }

/** Each hook: a script in which it fails, and what the far side does to make it happen. */
const hooks: readonly [hook: string, script: (fail: () => never) => Script, far: Script][] = [
  ['dataReceived', (fail) => ({ data: fail }), write],
  ['readConnectionLost', (fail) => ({ readLost: fail }), lose],
  ['writeConnectionLost', (fail) => ({ writeLost: fail, made: (self) => self.transport.loseWriteConnection() }), {}],
  ['stopping', (fail) => ({ stopping: fail }), {}],
]

export function guardsHooks(makeWorld: MakeWorld): void {
  describe.each<[how: string, rejects: boolean]>([
    ['throws', false],
    ['returns a promise that is rejected', true],
  ])('a hook that %s', (_how, rejects) => {
    const error = new Error('a mistake of the program')
    const fail = (): never => {
      if (rejects) return Promise.reject(error) as never
      throw error
    }

    it.each(hooks)('%s: ends its connection with that as the cause, reported once', async (hook, script, farScript) => {
      const world = makeWorld()
      const errors = reports()
      const other = await connect(world)
      const { near, far, nearEnd } = await connect(world, script(fail), farScript)
      await world.settle()
      nearEnd.askToStop()
      await world.settle()
      expect(near.reason).toBeInstanceOf(ConnectionAborted)
      expect(near.reason?.cause).toBe(error)
      expect([near.losses, far.losses]).toEqual([1, 1])
      expect(errors.map((report) => report.error)).toEqual([error])
      expect(errors[0]?.what).toContain(`${hook} of Witness failed`)
      expect(errors[0]?.subject).toBe(near)
      other.near.transport.write('still here')
      await world.settle()
      expect(other.far.text).toBe('still here')
    })

    it('connectionLost: is reported, and those who wait for the end are told', async () => {
      const world = makeWorld()
      const errors = reports()
      const { near, nearEnd } = await connect(world, { lost: fail })
      const lost = nearEnd.whenLost()
      near.transport.loseConnection()
      await world.settle()
      expect(await lost).toBe(near.reason)
      expect(near.losses).toBe(1)
      expect(near.reason?.name).toBe('ConnectionDone')
      expect(errors.map((report) => report.error)).toEqual([error])
    })
  })

  describe('connectionMade', () => {
    it('that throws: deliverTo throws it too, and the connection is aborted with it', async () => {
      const world = makeWorld()
      const errors = reports()
      const [nearEnd, farEnd] = await world.pair()
      const far = new Witness()
      farEnd.deliverTo(far)
      const error = new Error('not today')
      const near = new Witness({
        made() {
          throw error
        },
      })
      expect(() => nearEnd.deliverTo(near)).toThrow(error)
      expect(near.calls).toEqual(['made'])
      await world.settle()
      expect(near.calls).toEqual(['made', 'lost'])
      expect(near.reason).toBeInstanceOf(ConnectionAborted)
      expect(near.reason?.cause).toBe(error)
      expect(far.reason?.name).toBe('ConnectionLost')
      // It went to whoever called deliverTo.
      expect(errors).toEqual([])
    })

    it('that rejects: the connection is aborted with it, reported once', async () => {
      const world = makeWorld()
      const errors = reports()
      const error = new Error('not today')
      const { near } = await connect(world, { made: () => Promise.reject(error) })
      await world.settle()
      expect(near.reason?.cause).toBe(error)
      expect(errors.map((report) => report.error)).toEqual([error])
    })

    it('that throws fails the Deferred of attach', async () => {
      const world = makeWorld()
      const [nearEnd] = await world.pair()
      const error = new Error('not today')
      const failing = new Witness({
        made() {
          throw error
        },
      })
      await expect(
        attach(
          Factory.forProtocol(() => failing),
          nearEnd,
        ),
      ).rejects.toBe(error)
      await world.settle()
      expect(failing.losses).toBe(1)
    })
  })

  it('a promise that is rejected while the connection closes is its cause, and no reset disturbs the peer', async () => {
    const world = makeWorld()
    const errors = reports()
    const error = new Error('too late to matter to the peer')
    const { near, far } = await connect(world, { readLost: () => Promise.reject(error) }, { readLost: () => {} })
    near.transport.loseWriteConnection()
    await world.settle()
    far.transport.loseWriteConnection()
    await world.settle()
    expect(near.reason).toBeInstanceOf(ConnectionAborted)
    expect(near.reason?.cause).toBe(error)
    expect(far.reason?.name).toBe('ConnectionDone')
    expect(errors.map((report) => report.error)).toEqual([error])
  })

  it('inputEnded that throws: the connection is aborted with it, and nothing more is asked', async () => {
    const world = makeWorld()
    const errors = reports()
    const error = new Error('cannot count')
    const { near } = await connect(
      world,
      {
        ended() {
          throw error
        },
        readLost() {},
      },
      lose,
    )
    await world.settle()
    expect(near.calls).toEqual(['made', 'inputEnded', 'lost'])
    expect(near.reason).toBeInstanceOf(ConnectionAborted)
    expect(near.reason?.cause).toBe(error)
    expect(errors.map((report) => report.error)).toEqual([error])
  })

  it('what is thrown and is no Error becomes the cause of one', async () => {
    const world = makeWorld()
    const errors = reports()
    const { near } = await connect(
      world,
      {
        data() {
          // oxlint-disable-next-line typescript/only-throw-error -- other people's code does
          throw 'a string'
        },
      },
      write,
    )
    await world.settle()
    expect(near.reason?.cause).toBeInstanceOf(Error)
    expect(near.reason?.cause).toMatchObject({ cause: 'a string' })
    expect(errors.map((report) => report.error)).toEqual(['a string'])
  })
}
