/** Timers that are set, put off and cancelled by chance: each is called at its moment, in its turn, and once. */
import type { DelayedCall } from 'couplet'
import type { System } from './poetry-system.ts'

/** What is done, and to which of the timers that are there. */
interface Deed {
  readonly at: number
  readonly what: 'set' | 'reset' | 'delay' | 'cancel'
  readonly ms: number
  readonly pick: number
}

interface Timer {
  call: DelayedCall
  /** When it is to be called, and after how many other deeds that was settled. */
  due: number
  order: number
}

export const timers: System<Deed> = {
  options: {
    seeds: 200,
    faults: [],
    duration: 3000,
    operations: (random) =>
      Array.from({ length: random.between(10, 100) }, () => ({
        at: random.below(20) * 50,
        what: random.pick(['set', 'set', 'set', 'reset', 'delay', 'cancel']),
        ms: random.below(20) * 50,
        pick: random.below(100),
      })),
  },
  stage(sim, deeds) {
    const { reactor } = sim.host('here')
    const waiting: Timer[] = []
    const wrong: string[] = []
    let order = 0
    const settle = (timer: Timer, due: number): void => {
      timer.due = due
      timer.order = order++
    }
    const called = (timer: Timer): void => {
      const place = waiting.indexOf(timer)
      if (place < 0) {
        wrong.push(`a timer was called that was cancelled, or called before`)
        return
      }
      waiting.splice(place, 1)
      const now = reactor.now()
      if (now !== timer.due) wrong.push(`a timer for ${timer.due} ms was called at ${now} ms`)
      const before = waiting.find(({ due, order }) => due < timer.due || (due === timer.due && order < timer.order))
      if (before !== undefined) wrong.push(`a timer for ${timer.due} ms was called before one for ${before.due} ms`)
    }
    for (const { at, what, ms, pick } of deeds) {
      sim.after(at, () => {
        const now = reactor.now()
        const timer = waiting[pick % Math.max(1, waiting.length)]
        if (what === 'set' || timer === undefined) {
          const one: Timer = { call: reactor.callLater(ms, () => called(one)), due: 0, order: 0 }
          settle(one, now + ms)
          waiting.push(one)
        } else if (what === 'cancel') {
          timer.call.cancel()
          waiting.splice(waiting.indexOf(timer), 1)
        } else if (what === 'reset') {
          timer.call.reset(ms)
          settle(timer, now + ms)
        } else {
          timer.call.delay(ms)
          settle(timer, timer.due + ms)
        }
      })
    }
    sim.invariant('timers are called at their moments, in their turn, and once', () => wrong[0])
    sim.eventually('all are called', () => waiting.length === 0)
  },
}
