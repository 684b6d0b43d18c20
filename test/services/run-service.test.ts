/** runService: a program that is a service. */
import { CancelledError, runService } from 'couplet'
import { describe, expect, it } from 'vitest'
import { resultOf } from '../deferred/result-of.ts'
import { reportsOfEachTest } from '../reports.ts'
import { ScriptedReactor } from '../scripted-reactor.ts'
import { ScriptedService } from './scripted-service.ts'

const reports = reportsOfEachTest()
const boom = new Error('boom')

function program() {
  const reactor = new ScriptedReactor()
  return { reactor, service: new ScriptedService('server') }
}

describe('a program that is a service', () => {
  it('runs until the reactor stops, and then until the service has', () => {
    const { reactor, service } = program()
    const stop = service.slowStop()
    const ran = runService(reactor, service)
    expect([service.running, reactor.waitingForStop]).toEqual([true, 1])
    reactor.stop('SIGTERM')
    expect(service.state).toBe('stopping')
    stop.callback()
    expect(resultOf(ran)).toBeUndefined()
  })

  it('fails when the service does not start', () => {
    const { reactor, service } = program()
    const start = service.slowStart()
    const ran = runService(reactor, service)
    start.errback(boom)
    expect([resultOf(ran), service.state, reactor.waitingForStop]).toEqual([boom, 'stopped', 0])
  })

  it('fails when the service does not stop', () => {
    const { reactor, service } = program()
    service.startService()
    const ran = runService(reactor, service)
    service.slowStop().errback(boom)
    reactor.stop()
    expect(resultOf(ran)).toBe(boom)
    expect(reports).toEqual([])
  })

  it('may be stopped while it is starting, which is no failure', () => {
    const { reactor, service } = program()
    service.slowStart()
    const ran = runService(reactor, service)
    reactor.stop()
    expect([resultOf(ran), service.log]).toEqual([
      undefined,
      ['server starting', 'server cancelled', 'server stopping'],
    ])
  })

  it('may be cancelled, before and after it has started', () => {
    for (const slow of [true, false]) {
      const { reactor, service } = program()
      if (slow) service.slowStart()
      const ran = runService(reactor, service)
      ran.cancel()
      expect([resultOf(ran), service.state, reactor.waitingForStop]).toEqual([expect.any(CancelledError), 'stopped', 0])
    }
  })

  it('does not outlive a reactor that was stopped before', () => {
    const { reactor, service } = program()
    reactor.stop()
    expect([resultOf(runService(reactor, service)), service.state]).toEqual([undefined, 'stopped'])
  })
})
