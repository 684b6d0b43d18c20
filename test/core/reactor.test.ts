/** Reactor: how a program is told that it is to end, and what happens when a listener's own code fails. */
import { CancelledError, IPv4Address } from 'couplet'
import { beforeEach, describe, expect, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

let reactor: ScriptedReactor
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
})

describe('stop', () => {
  it('tells everybody who waits, and whoever asks afterwards, why', () => {
    const waiting = [outcome(reactor.whenStopped()), outcome(reactor.whenStopped())]
    expect(waiting).toEqual([{}, {}])
    reactor.stop('SIGINT')
    waiting.push(outcome(reactor.whenStopped()))
    expect(waiting).toEqual([{ value: 'SIGINT' }, { value: 'SIGINT' }, { value: 'SIGINT' }])
  })

  it('means something the first time only', () => {
    reactor.stop()
    reactor.stop('SIGTERM')
    expect(outcome(reactor.whenStopped())).toEqual({ value: 'stop' })
  })

  it('forgets who no longer waits', () => {
    const waiting = reactor.whenStopped()
    const ended = outcome(waiting)
    expect(reactor.waitingForStop).toBe(1)
    waiting.cancel()
    expect(reactor.waitingForStop).toBe(0)
    reactor.stop()
    expect(ended.error).toBeInstanceOf(CancelledError)
  })
})

describe('listen', () => {
  it('aborts a connection for which accept throws, reports it once, and goes on', () => {
    const broken = new Error('no ink')
    const accept = (): never => {
      throw broken
    }
    outcome(reactor.listen(new IPv4Address('TCP', '127.0.0.1', 0), accept))
    reactor.advance(0)
    const port = only(reactor.ports)
    const ends = [port.connect(), port.connect()].map(({ end }) => end)
    reactor.advance(0)
    expect([ends, port.connections, reports.errors]).toEqual([['reset', 'reset'], 0, [broken, broken]])
    expect(reports.all[0]?.what).toBe('accept failed, so the connection with 10.0.0.2:1025 is aborted')
  })
})
