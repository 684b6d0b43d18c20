/** MultiService: in order, in reverse, and what happens when one of them fails, comes or goes. */
import { fail, MultiService, ServicesNotStopped, ServiceStopped } from 'couplet'
import { describe, expect, it } from 'vitest'
import { resultOf } from '../deferred/result-of.ts'
import { reportsOfEachTest } from '../reports.ts'
import { ScriptedService } from './scripted-service.ts'

const reports = reportsOfEachTest()
const boom = new Error('boom')

/** Services a, b and c in one, and what they are told. */
function three() {
  const log: string[] = []
  const parent = new MultiService()
  const children = ['a', 'b', 'c'].map((name) => new ScriptedService(name, log))
  for (const child of children) child.setServiceParent(parent)
  const [a, b, c] = children as [ScriptedService, ScriptedService, ScriptedService]
  return { parent, a, b, c, log }
}

describe('several services', () => {
  it('start in order, each when the one before it runs, and stop in reverse, each when the one after it has', () => {
    const { parent, a, b, c, log } = three()
    const starts = [a, b, c].map((child) => child.slowStart())
    const started = parent.startService()
    expect(log.splice(0)).toEqual(['a starting'])
    starts[0]?.callback()
    expect(log.splice(0)).toEqual(['b starting'])
    starts[1]?.callback()
    starts[2]?.callback()
    expect([log.splice(0), resultOf(started), parent.running]).toEqual([['c starting'], undefined, true])

    const stops = [a, b, c].map((child) => child.slowStop())
    const stopped = parent.stopService()
    expect(log.splice(0)).toEqual(['c stopping'])
    stops[2]?.callback()
    expect(log.splice(0)).toEqual(['b stopping'])
    stops[1]?.callback()
    stops[0]?.callback()
    expect([log, resultOf(stopped), parent.state]).toEqual([['a stopping'], undefined, 'stopped'])
  })

  it('may be services of several services', () => {
    const { parent, log } = three()
    const whole = new MultiService()
    whole.addService(new ScriptedService('first', log))
    whole.addService(parent)
    whole.startService()
    whole.stopService()
    expect(log.filter((line) => line.endsWith('starting'))).toEqual(
      ['first', 'a', 'b', 'c'].map((n) => `${n} starting`),
    )
    expect(log.filter((line) => line.endsWith('stopping'))).toEqual(
      ['c', 'b', 'a', 'first'].map((n) => `${n} stopping`),
    )
  })

  it('a thousand of them are no deeper than one', () => {
    const parent = new MultiService()
    const log: string[] = []
    for (let number = 0; number < 1000; number++) parent.addService(new ScriptedService(String(number), log))
    expect(resultOf(parent.startService())).toBeUndefined()
    expect(resultOf(parent.stopService())).toBeUndefined()
    expect([log.length, log[999], log[1000]]).toEqual([2000, '999 starting', '999 stopping'])
  })
})

describe('one that fails to start', () => {
  it('stops those that have started, in reverse, and those behind it never start', () => {
    const { parent, b, c, a, log } = three()
    c.start = fail(boom)
    const stop = a.slowStop()
    const started = parent.startService()
    expect([parent.state, resultOf(b.stopService())]).toEqual(['stopping', undefined])
    stop.callback()
    expect([resultOf(started), parent.state]).toEqual([boom, 'stopped'])
    expect(log).toEqual(['a starting', 'b starting', 'c starting', 'c stopping', 'b stopping', 'a stopping'])
  })

  it('may start the next time', () => {
    const { parent, b } = three()
    b.start = fail(boom)
    expect(resultOf(parent.startService())).toBe(boom)
    expect(resultOf(parent.startService())).toBeUndefined()
  })
})

describe('stops that fail', () => {
  it('do not keep the others from stopping, and are told together', () => {
    const { parent, a, b, c, log } = three()
    parent.startService()
    log.length = 0
    c.stop = fail(boom)
    a.stop = fail(new Error('worse'))
    const error = resultOf(parent.stopService())
    expect(log).toEqual(['c stopping', 'b stopping', 'a stopping'])
    expect(error).toBeInstanceOf(ServicesNotStopped)
    expect(error).toMatchObject({
      name: 'ServicesNotStopped',
      code: 'ERR_SERVICES_NOT_STOPPED',
      message: 'MultiService: stopping failed for c: boom; a: worse',
      cause: boom,
      errors: [boom, new Error('worse')],
    })
    expect([b, parent].map(({ state }) => state)).toEqual(['stopped', 'stopped'])
  })
})

describe('stopping them while they start', () => {
  it('gives up the one that is starting and stops the others in reverse', () => {
    const { parent, b, log } = three()
    b.slowStart()
    const started = parent.startService()
    expect(resultOf(parent.stopService())).toBeUndefined()
    expect(resultOf(started)).toBeInstanceOf(ServiceStopped)
    expect(log).toEqual(['a starting', 'b starting', 'b cancelled', 'b stopping', 'a stopping'])
    expect(reports).toEqual([])
  })

  it('waits for one that cannot be given up', async () => {
    const { parent, b, log } = three()
    let ready = (): void => undefined
    b.start = new Promise<void>((resolve) => (ready = resolve))
    parent.startService()
    const stopped = parent.stopService()
    await Promise.resolve()
    expect(log).toEqual(['a starting', 'b starting'])
    ready()
    await stopped
    expect(log).toEqual(['a starting', 'b starting', 'b stopping', 'a stopping'])
  })

  it('tells of a stop that failed on the way', () => {
    const { parent, b } = three()
    b.slowStart()
    b.stop = fail(boom)
    parent.startService()
    const stopped = parent.stopService()
    expect(parent.state).toBe('stopped')
    resultOf(stopped)
    expect(reports.map(({ error }) => error)).toEqual([boom])
  })
})

describe('adding a service', () => {
  it('to one that is stopped leaves it until the start', () => {
    const parent = new MultiService()
    const child = new ScriptedService('a')
    expect(resultOf(parent.addService(child))).toBeUndefined()
    expect([child.state, child.parent, [...parent]]).toEqual(['stopped', parent, [child]])
  })

  it('to one that runs starts it', () => {
    const { parent, log } = three()
    parent.startService()
    const late = new ScriptedService('late', log)
    const start = late.slowStart()
    const added = parent.addService(late)
    expect([late.state, log.at(-1)]).toEqual(['starting', 'late starting'])
    start.callback()
    expect(resultOf(added)).toBeUndefined()
  })

  it('to one that runs leaves it in there if it does not start, for the next time', () => {
    const { parent } = three()
    parent.startService()
    const late = new ScriptedService('late')
    late.start = fail(boom)
    expect(resultOf(parent.addService(late))).toBe(boom)
    expect([late.parent, parent.running]).toEqual([parent, true])
    parent.stopService()
    parent.startService()
    expect(late.running).toBe(true)
  })

  it('to one that is starting starts it in its turn', () => {
    const { parent, a, log } = three()
    const start = a.slowStart()
    parent.startService()
    const added = parent.addService(new ScriptedService('late', log))
    start.callback()
    expect(log).toEqual(['a starting', 'b starting', 'c starting', 'late starting'])
    expect(resultOf(added)).toBeUndefined()
  })

  it('to one that is starting may be given up without stopping the others', () => {
    const { parent, a } = three()
    const start = a.slowStart()
    parent.startService()
    parent.addService(new ScriptedService('late')).cancel()
    start.callback()
    expect(parent.running).toBe(true)
  })

  it('to one that is stopping waits for the next start', () => {
    const { parent, a } = three()
    parent.startService()
    const stop = a.slowStop()
    parent.stopService()
    const late = new ScriptedService('late')
    expect(resultOf(parent.addService(late))).toBeUndefined()
    expect(late.state).toBe('stopped')
    parent.startService()
    stop.callback()
    expect(late.running).toBe(true)
  })

  it('is refused if it is somewhere already, if it is its own parent, and if its name is taken', () => {
    const { parent, a } = three()
    const other = new MultiService()
    expect(() => other.addService(a)).toThrow('a belongs to MultiService (take it out there first)')
    expect(() => parent.addService(new ScriptedService('a'))).toThrow('MultiService has a service named a already')
    expect(() => parent.addService(parent)).toThrow('MultiService cannot be put into itself')
    other.addService(parent)
    expect(() => parent.addService(other)).toThrow('cannot be put into itself')
    expect([...other]).toEqual([parent])
    parent.addService(new ScriptedService('d'))
    expect([...parent].length).toBe(4)
  })
})

describe('taking a service out', () => {
  it('stops it if the others run, and only then', () => {
    const { parent, a, b, c } = three()
    expect(resultOf(parent.removeService(a))).toBeUndefined()
    parent.startService()
    const stop = b.slowStop()
    const removed = b.disownServiceParent()
    expect([b.parent, b.state, a.state]).toEqual([undefined, 'stopping', 'stopped'])
    stop.callback()
    expect([resultOf(removed), [...parent]]).toEqual([undefined, [c]])
  })

  it('while it starts is no failure of the others', () => {
    const { parent, b, c } = three()
    b.slowStart()
    const started = parent.startService()
    expect(resultOf(b.disownServiceParent())).toBeUndefined()
    expect([resultOf(started), b.state, c.state]).toEqual([undefined, 'stopped', 'running'])
  })

  it('while all are told to stop does not let the next one start', () => {
    const { parent, b, log } = three()
    b.slowStart()
    parent.startService().addErrback(() => undefined)
    b.startService().addErrback(() => b.disownServiceParent())
    parent.stopService()
    expect([parent.state, b.parent]).toEqual(['stopped', undefined])
    expect(log).toEqual(['a starting', 'b starting', 'b cancelled', 'b stopping', 'a stopping'])
  })

  it('of a parent that is stopped lets it run, if it does so on its own', () => {
    const { parent, a } = three()
    a.startService()
    expect([resultOf(parent.removeService(a)), a.running]).toEqual([undefined, true])
  })

  it('is refused if it is not in there', () => {
    const { parent } = three()
    const stranger = new ScriptedService('stranger')
    expect(() => parent.removeService(stranger)).toThrow('stranger is not in MultiService')
    expect(() => stranger.disownServiceParent()).toThrow('stranger has no parent')
  })
})

describe('names', () => {
  it('find a service', () => {
    const { parent, b } = three()
    expect(parent.getServiceNamed('b')).toBe(b)
    expect(() => parent.getServiceNamed('d')).toThrow('MultiService has no service named d (it has a, b, c)')
    expect(() => new MultiService().getServiceNamed('d')).toThrow('(it has none with a name)')
  })

  it('are given before a parent knows the service by them', () => {
    const { b } = three()
    expect(() => b.setName('e')).toThrow('b is named before it is put into a MultiService')
    b.disownServiceParent()
    b.setName('e')
    expect(b.name).toBe('e')
  })
})
