/** Service: start and stop, in every state and across each other. */
import { CancelledError, Deferred, fail, flushUnhandled, Recorder, Service, ServiceStopped, setTracer } from 'couplet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { resultOf } from '../deferred/result-of.ts'
import { reportsOfEachTest } from '../reports.ts'
import { ScriptedService } from './scripted-service.ts'

const reports = reportsOfEachTest()
const boom = new Error('boom')

describe('a service', () => {
  it('starts and stops, again and again', () => {
    const service = new ScriptedService('poet')
    expect([service.state, service.running]).toEqual(['stopped', false])
    for (let time = 0; time < 2; time++) {
      expect(resultOf(service.startService())).toBeUndefined()
      expect([service.state, service.running]).toEqual(['running', true])
      expect(resultOf(service.stopService())).toBeUndefined()
      expect([service.state, service.running]).toEqual(['stopped', false])
    }
    expect(service.log).toEqual(['poet starting', 'poet stopping', 'poet starting', 'poet stopping'])
  })

  it('that needs nothing needs no methods', () => {
    class Idle extends Service {}
    const service = new Idle()
    expect(resultOf(service.startService())).toBeUndefined()
    expect(resultOf(service.stopService())).toBeUndefined()
    expect(String(service)).toBe('Idle')
  })

  it('waits for whatever starting and stopping wait for, promises too', async () => {
    const service = new ScriptedService('poet')
    service.start = Promise.resolve()
    const started = service.startService()
    expect([service.state, service.running]).toEqual(['starting', false])
    await started
    expect(service.state).toBe('running')
    service.stop = Promise.resolve()
    const stopped = service.stopService()
    expect([service.state, service.running]).toEqual(['stopping', false])
    await stopped
    expect(service.state).toBe('stopped')
  })

  it('starts once, however many ask', () => {
    const service = new ScriptedService('poet')
    const start = service.slowStart()
    const [first, second] = [service.startService(), service.startService()]
    expect(first).not.toBe(second)
    start.callback()
    expect([resultOf(first), resultOf(second), resultOf(service.startService())]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(service.log).toEqual(['poet starting'])
  })

  it('stops once, however many ask, and has nothing to stop when it is stopped', () => {
    const service = new ScriptedService('poet')
    expect(resultOf(service.stopService())).toBeUndefined()
    service.startService()
    const stop = service.slowStop()
    const [first, second] = [service.stopService(), service.stopService()]
    expect([resultOf(first), resultOf(second)]).toEqual(['pending', 'pending'])
    stop.callback()
    expect(resultOf(service.stopService())).toBeUndefined()
    expect(service.log).toEqual(['poet starting', 'poet stopping'])
  })
})

describe('a start that fails', () => {
  it('is undone before anybody is told, and everybody who waits is', () => {
    const service = new ScriptedService('poet')
    const [start, stop] = [service.slowStart(), service.slowStop()]
    const waiting = [service.startService(), service.startService()]
    const results = waiting.map((one) => {
      const seen: unknown[] = []
      one.addErrback(({ value }) => seen.push(value))
      return seen
    })
    start.errback(boom)
    expect([service.state, results]).toEqual(['stopping', [[], []]])
    stop.callback()
    expect([service.state, results]).toEqual(['stopped', [[boom], [boom]]])
  })

  it.each([
    [
      'throws',
      () => {
        throw boom
      },
    ],
    ['is rejected', () => Promise.reject(boom)],
    ['fails', () => fail(boom)],
  ])('is one whose work %s', async (_how, starting) => {
    const service = new (class extends Service {
      protected override starting = starting
    })()
    await expect(service.startService()).rejects.toBe(boom)
    expect(service.state).toBe('stopped')
  })

  it('may be followed by another, asked for while it is undone', () => {
    const service = new ScriptedService('poet')
    service.start = fail(boom)
    const stop = service.slowStop()
    const first = service.startService()
    const second = service.startService()
    stop.callback()
    expect(resultOf(first)).toBe(boom)
    expect(resultOf(second)).toBeUndefined()
    expect(service.log).toEqual(['poet starting', 'poet stopping', 'poet starting'])
  })

  it('is what is told; that undoing it failed as well is reported', () => {
    const service = new ScriptedService('poet')
    const worse = new Error('worse')
    service.start = fail(boom)
    service.stop = fail(worse)
    expect(resultOf(service.startService())).toBe(boom)
    expect(reports).toEqual([{ error: worse, what: 'poet failed to stop', subject: service }])
  })
})

describe('stopping a service that is starting', () => {
  it('cancels what it waits for, undoes it, and whoever waits for the start is told', () => {
    const service = new ScriptedService('poet')
    service.slowStart()
    const started = service.startService()
    expect(resultOf(service.stopService())).toBeUndefined()
    expect(resultOf(started)).toMatchObject({
      name: 'ServiceStopped',
      code: 'ERR_SERVICE_STOPPED',
      message: 'poet was stopped',
    })
    expect(service.log).toEqual(['poet starting', 'poet cancelled', 'poet stopping'])
  })

  it('waits for a promise, which nobody can cancel', async () => {
    const service = new ScriptedService('poet')
    let ready = (): void => undefined
    service.start = new Promise<void>((resolve) => (ready = resolve))
    service.startService()
    const stopped = service.stopService()
    await Promise.resolve()
    expect([service.state, service.log]).toEqual(['stopping', ['poet starting']])
    ready()
    await stopped
    expect(service.log).toEqual(['poet starting', 'poet stopping'])
  })

  it('needs nobody to take the cancellation', async () => {
    const service = new ScriptedService('poet')
    service.slowStart()
    service.startService()
    service.stopService()
    await new Promise((resolve) => setImmediate(resolve))
    expect(reports).toEqual([])
  })

  it('reports a failure that has nothing to do with it', () => {
    const service = new ScriptedService('poet')
    service.start = new Deferred<void>((deferred) => deferred.errback(boom))
    service.startService().addErrback(() => undefined)
    expect(resultOf(service.stopService())).toBeUndefined()
    expect(reports).toEqual([
      { error: boom, what: 'poet failed to start, and was stopped meanwhile', subject: service },
    ])
  })

  it('is what cancelling the start means', () => {
    const service = new ScriptedService('poet')
    service.slowStart()
    const started = service.startService()
    started.cancel('bored')
    expect(resultOf(started)).toMatchObject({ name: 'CancelledError', cause: 'bored' })
    expect([service.state, service.log]).toEqual(['stopped', ['poet starting', 'poet cancelled', 'poet stopping']])
  })

  it('may happen inside of starting()', () => {
    const stopped: unknown[] = []
    const service = new (class extends Service {
      protected override starting(): Deferred<void> {
        stopped.push(resultOf(this.stopService()))
        return new Deferred<void>()
      }
      protected override stopping(): void {
        stopped.push('stopping')
      }
    })()
    expect(resultOf(service.startService())).toBeInstanceOf(ServiceStopped)
    expect([service.state, stopped]).toEqual(['stopped', ['pending', 'stopping']])
  })
})

describe('starting a service that is stopping', () => {
  it('starts it when it has stopped', () => {
    const service = new ScriptedService('poet')
    service.startService()
    const stop = service.slowStop()
    const stopped = service.stopService()
    const started = service.startService()
    expect([service.state, resultOf(started)]).toEqual(['stopping', 'pending'])
    stop.callback()
    expect([service.state, resultOf(stopped)]).toEqual(['running', undefined])
  })

  it('is taken back by another stop', () => {
    const service = new ScriptedService('poet')
    service.startService()
    const stop = service.slowStop()
    service.stopService()
    const started = service.startService()
    const stopped = service.stopService()
    expect(resultOf(started)).toBeInstanceOf(ServiceStopped)
    stop.callback()
    expect([service.state, resultOf(stopped)]).toEqual(['stopped', undefined])
  })

  it('starts it although stopping failed', () => {
    const service = new ScriptedService('poet')
    service.startService()
    const stop = service.slowStop()
    const stopped = service.stopService()
    service.startService()
    stop.errback(boom)
    expect([service.state, resultOf(stopped)]).toEqual(['running', boom])
  })

  it('may happen inside of stopping(), and when a start is given up', () => {
    const service = new ScriptedService('poet')
    service.slowStart()
    service.startService().addErrback(() => service.startService())
    service.stopService()
    expect(service.state).toBe('running')
    expect(service.log).toEqual(['poet starting', 'poet cancelled', 'poet stopping', 'poet starting'])
  })

  it('whoever was told first that it is stopped may start it, and the others are told all the same', () => {
    const service = new ScriptedService('poet')
    service.startService()
    const stop = service.slowStop()
    let start: Deferred<void> | undefined
    service.stopService().addCallback(() => {
      start = service.slowStart()
      service.startService()
    })
    const second = service.stopService()
    stop.callback()
    expect([service.state, resultOf(second)]).toEqual(['starting', undefined])
    start?.callback()
    expect([service.state, service.log]).toEqual(['running', ['poet starting', 'poet stopping', 'poet starting']])
  })
})

describe('stopping that fails', () => {
  it('is told to all who wait; the service is stopped', () => {
    const service = new ScriptedService('poet')
    service.startService()
    const stop = service.slowStop()
    const [first, second] = [service.stopService(), service.stopService()]
    stop.errback(boom)
    expect([resultOf(first), resultOf(second), service.state]).toEqual([boom, boom, 'stopped'])
  })

  it('is reported if nobody waits any more', () => {
    const service = new ScriptedService('poet')
    service.startService()
    const stop = service.slowStop()
    const stopped = service.stopService()
    stopped.cancel()
    expect([resultOf(stopped), service.state]).toEqual([expect.any(CancelledError), 'stopping'])
    stop.errback(boom)
    expect(reports).toEqual([{ error: boom, what: 'poet failed to stop', subject: service }])
  })
})

it('one of those who wait may stop it when it is told; the others hear that', () => {
  const service = new ScriptedService('poet')
  const start = service.slowStart()
  service.slowStop()
  const first = service.startService()
  const second = service.startService()
  let again: Deferred<void> | undefined
  first.addCallback(() => {
    service.stopService()
    again = service.startService()
  })
  start.callback()
  expect([resultOf(second), again && resultOf(again)]).toEqual([expect.any(ServiceStopped), 'pending'])
})

it('one of those who wait may give up for another when it is told of a failure', () => {
  const service = new ScriptedService('poet')
  const start = service.slowStart()
  const first = service.startService()
  const second = service.startService()
  first.addErrback(() => second.cancel())
  start.errback(boom)
  expect([resultOf(second), flushUnhandled()]).toEqual([expect.any(CancelledError), []])
})

it('one of those who wait may give up when another is told', () => {
  const service = new ScriptedService('poet')
  const start = service.slowStart()
  const first = service.startService()
  const second = service.startService()
  first.addCallback(() => second.cancel())
  start.callback()
  expect([resultOf(second), service.state]).toEqual([expect.any(CancelledError), 'stopped'])
})

it('each change of state is in the trace, once', () => {
  const recorder = new Recorder({ now: () => 0 })
  onTestFinished(setTracer(recorder))
  const service = new ScriptedService('poet')
  service.startService()
  service.startService()
  service.stopService()
  const events = recorder.events.filter(({ k }) => k === 'service')
  expect(events.map(({ on, state, label }) => [on, state, label])).toEqual(
    ['starting', 'running', 'stopping', 'stopped'].map((state) => ['s1', state, 'poet']),
  )
})
