/** Dates of simulated hosts that are wrong, while their timers go right. */
import { Sim } from 'couplet/sim'
import { expect, it } from 'vitest'

const day = 86_400_000

it('a clock is off by as much as it is, and gains as much as it does', () => {
  const sim = new Sim({ epoch: 1000 })
  const right = sim.host('right').reactor
  const ahead = sim.host('ahead', { clock: { offset: 5000 } }).reactor
  const fast = sim.host('fast', { clock: { offset: -50, drift: 100 } }).reactor
  sim.advance(day)
  expect(right.wallTime()).toBe(1000 + day)
  expect(ahead.wallTime()).toBe(6000 + day)
  expect(fast.wallTime()).toBe(950 + day + 8640)
  expect([right.now(), ahead.now(), fast.now()]).toEqual([day, day, day])
})

it('a clock that is set jumps, and no timer does', () => {
  const sim = new Sim({ epoch: 0 })
  const host = sim.host('host')
  const dates: [now: number, wallTime: number][] = []
  for (const ms of [50, 150, 250]) {
    host.reactor.callLater(ms, () => dates.push([host.reactor.now(), host.reactor.wallTime()]))
  }
  sim.faults([{ at: 100, kind: 'clock', host: 'host', by: -day, for: 100 }])
  sim.advance(300)
  expect(dates).toEqual([
    [50, 50],
    [150, 150 - day],
    [250, 250],
  ])
})

it('a clock that is wrong stays so when its host is restarted, and is right when all is healed', () => {
  const sim = new Sim({ epoch: 0 })
  const host = sim.host('host')
  host.run(() => {})
  sim.faults([{ at: 0, kind: 'clock', host: 'host', by: 7, for: day }])
  sim.advance(1)
  host.crash()
  host.restart()
  expect(host.reactor.wallTime()).toBe(8)
  sim.heal()
  expect(host.reactor.wallTime()).toBe(1)
})

it('a clock that is no clock is refused', () => {
  const sim = new Sim()
  expect(() => sim.host('a', { clock: { offset: Infinity } })).toThrow(RangeError)
  expect(() => sim.host('b', { clock: { drift: NaN } })).toThrow(RangeError)
  expect(() => sim.host('c').setClock(NaN)).toThrow(RangeError)
})
