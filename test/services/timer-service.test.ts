/** TimerService: something that is done again and again while the service runs. */
import { Deferred, TimerService } from 'couplet'
import { ManualClock } from 'couplet/testing'
import { expect, it } from 'vitest'
import { resultOf } from '../deferred/result-of.ts'
import { reportsOfEachTest } from '../reports.ts'

const reports = reportsOfEachTest()

it('calls at the start and then at a steady pace, until the stop; and again after the next start', () => {
  const clock = new ManualClock()
  const calls: number[] = []
  const service = new TimerService(clock, 1000, () => calls.push(clock.now()))
  expect(resultOf(service.startService())).toBeUndefined()
  clock.advance(2500)
  expect(resultOf(service.stopService())).toBeUndefined()
  clock.advance(2500)
  service.startService()
  clock.advance(1000)
  expect(calls).toEqual([0, 1000, 2000, 5000, 6000])
  service.stopService()
  expect(clock.pending()).toEqual([])
})

it('a stop waits for the call that is going on', () => {
  const clock = new ManualClock()
  const call = new Deferred<void>()
  const service = new TimerService(clock, 1000, () => call)
  service.startService()
  const stopped = service.stopService()
  const again = service.startService()
  expect([service.state, resultOf(again)]).toEqual(['stopping', 'pending'])
  call.callback()
  expect([resultOf(stopped), service.state]).toEqual([undefined, 'running'])
})

it('a call that fails is reported and is the last; the service can be stopped and started all the same', () => {
  const clock = new ManualClock()
  const boom = new Error('boom')
  let calls = 0
  const service = new TimerService(clock, 1000, () => {
    if (++calls === 2) throw boom
  })
  service.setName('janitor')
  service.startService()
  clock.advance(10_000)
  expect(calls).toBe(2)
  expect(reports).toEqual([
    { error: boom, what: 'A call of janitor failed, so there will be no more', subject: service },
  ])
  expect(resultOf(service.stopService())).toBeUndefined()
  service.startService()
  clock.advance(1000)
  expect(calls).toBe(4)
})

it('a call may stop the service that makes it, the first one too', () => {
  const clock = new ManualClock()
  let calls = 0
  const service: TimerService = new TimerService(clock, 1000, () => {
    calls++
    service.stopService()
  })
  service.startService().addErrback(() => undefined)
  clock.advance(10_000)
  expect([calls, service.state, clock.pending()]).toEqual([1, 'stopped', []])
})

it('an interval that is none fails the start', () => {
  expect(resultOf(new TimerService(new ManualClock(), -1, () => undefined).startService())).toBeInstanceOf(RangeError)
})
