/** TimerQueue and DelayedCall: what is due, in which order, whatever is cancelled or moved meanwhile. */
import { AlreadyCalled, AlreadyCancelled, type DelayedCall, TimerQueue } from 'couplet'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

function queueAt(time = { now: 0 }): { queue: TimerQueue; time: { now: number }; changes: () => number } {
  let changes = 0
  const clock = { now: () => time.now, callLater: () => expect.unreachable() }
  return { queue: new TimerQueue(clock, () => changes++), time, changes: () => changes }
}

describe('DelayedCall', () => {
  it('is active until it is called', () => {
    const { queue } = queueAt()
    const call = queue.add(5, () => 'result')
    expect([call.active(), call.time]).toEqual([true, 5])
    expect(queue.take(4)).toBeUndefined()
    expect(queue.take(5)).toBe(call)
    expect(call.run()).toBe('result')
    expect(call.active()).toBe(false)
  })

  it('is active until it is cancelled', () => {
    const { queue } = queueAt()
    const call = queue.add(5, () => {})
    call.cancel()
    expect([call.active(), queue.size, queue.next, queue.take(5)]).toEqual([false, 0, undefined, undefined])
  })

  it.each<[string, (call: DelayedCall) => void]>([
    ['cancel', (call) => call.cancel()],
    ['reset', (call) => call.reset(1)],
    ['delay', (call) => call.delay(1)],
  ])('%s throws when the call is not to come any more', (_, misuse) => {
    const { queue } = queueAt()
    const called = queue.add(0, () => {
      expect(() => misuse(called)).toThrow(AlreadyCalled)
    })
    queue.take(0)?.run()
    expect(() => misuse(called)).toThrow(AlreadyCalled)
    const cancelled = queue.add(0, () => {})
    cancelled.cancel()
    expect(() => misuse(cancelled)).toThrow(AlreadyCancelled)
    expect(queue.size).toBe(0)
  })

  it.each([-1, -Number.MIN_VALUE, NaN, Infinity, -Infinity])('cannot be set, or reset, to %d ms from now', (ms) => {
    const { queue } = queueAt()
    expect(() => queue.add(ms, () => {})).toThrow(RangeError)
    const call = queue.add(7, () => {})
    expect(() => call.reset(ms)).toThrow(RangeError)
    expect([call.active(), call.time, queue.size]).toEqual([true, 7, 1])
  })

  it.each([NaN, Infinity, -Infinity])('cannot be delayed by %d ms', (ms) => {
    const { queue } = queueAt()
    const call = queue.add(7, () => {})
    expect(() => call.delay(ms)).toThrow(RangeError)
    expect(call.time).toBe(7)
  })

  it('counts reset from now, and delay from the time it was set for', () => {
    const { queue, time } = queueAt()
    const [reset, delayed, earlier] = [10, 10, 10].map((ms) => queue.add(ms, () => {}))
    time.now = 4
    reset?.reset(10)
    delayed?.delay(10)
    earlier?.delay(-7)
    expect([reset?.time, delayed?.time, earlier?.time]).toEqual([14, 20, 3])
    expect(queue.pending()).toEqual([earlier, reset, delayed])
  })

  it('may be a year away', () => {
    const { queue } = queueAt()
    const year = 365 * 24 * 3_600_000
    expect(queue.add(year, () => {}).time).toBe(year)
  })

  it('is cancelled at the end of a using block, and left alone if it has been called', () => {
    const { queue } = queueAt()
    {
      using call = queue.add(1, () => {})
      expect(call.active()).toBe(true)
    }
    {
      using call = queue.add(0, () => {})
      queue.take(0)?.run()
      expect(call.active()).toBe(false)
    }
    expect(queue.size).toBe(0)
  })
})

describe('TimerQueue', () => {
  it('keeps calls that are set on the way for the next round, if it is told to', () => {
    const { queue } = queueAt()
    const first = queue.add(0, () => {})
    const mark = queue.mark()
    expect(queue.take(0, mark)).toBe(first)
    const second = queue.add(0, () => {})
    expect(queue.take(0, mark)).toBeUndefined()
    expect(queue.take(0)).toBe(second)
  })

  it('says when the next call may be another one', () => {
    const { queue, changes } = queueAt()
    const late = queue.add(10, () => {})
    expect(changes()).toBe(1)
    queue.add(20, () => {})
    expect(changes()).toBe(1)
    const early = queue.add(5, () => {})
    expect(changes()).toBe(2)
    late.delay(1)
    expect(changes()).toBe(2)
    early.cancel()
    expect(changes()).toBe(3)
    late.reset(30)
    expect([changes(), queue.next]).toEqual([4, 20])
  })

  /** The same in the plainest way: a list, sorted each time. */
  class Model {
    now = 0
    calls: { time: number; order: number; id: number }[] = []
    #orders = 0
    sort(): void {
      this.calls.sort((one, other) => one.time - other.time || one.order - other.order)
    }
    move(index: number, time: (call: { time: number }) => number): void {
      const call = this.calls[index]
      if (call === undefined) return
      call.time = time(call)
      call.order = ++this.#orders
      this.sort()
    }
    add(time: number, id: number): void {
      this.calls.push({ time, order: ++this.#orders, id })
      this.sort()
    }
  }

  // Mostly few and whole numbers, so that many calls are due at the same time.
  const ms = fc.oneof(
    { arbitrary: fc.nat(3), weight: 6 },
    { arbitrary: fc.nat(1000), weight: 1 },
    { arbitrary: fc.double({ min: 0, max: 50, noNaN: true }), weight: 1 },
  )
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), ms }),
    fc.record({ do: fc.constantFrom('cancel' as const, 'reset' as const, 'delay' as const), ms, at: fc.nat() }),
    fc.record({ do: fc.constant('advance' as const), ms }),
  )

  it('does what a sorted list does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { queue, time } = queueAt()
        const model = new Model()
        const calls = new Map<number, DelayedCall>()
        const ran: number[] = []
        let ids = 0
        for (const each of steps) {
          const index = 'at' in each && model.calls.length > 0 ? each.at % model.calls.length : 0
          const chosen = calls.get(model.calls[index]?.id ?? -1)
          if (each.do === 'add') {
            const id = ids++
            calls.set(
              id,
              queue.add(each.ms, () => ran.push(id)),
            )
            model.add(model.now + each.ms, id)
          } else if (each.do === 'advance') {
            model.now += each.ms
            time.now = model.now
            for (let call = queue.take(time.now); call !== undefined; call = queue.take(time.now)) call.run()
            const due = model.calls.filter((call) => call.time <= model.now).map(({ id }) => id)
            model.calls = model.calls.filter((call) => call.time > model.now)
            expect(ran.splice(0)).toEqual(due)
          } else if (chosen !== undefined) {
            if (each.do === 'cancel') {
              chosen.cancel()
              model.calls.splice(index, 1)
            } else if (each.do === 'reset') {
              chosen.reset(each.ms)
              model.move(index, () => model.now + each.ms)
            } else {
              chosen.delay(each.ms - 2)
              model.move(index, (call) => call.time + (each.ms - 2))
            }
          }
          expect(queue.next).toBe(model.calls[0]?.time)
          expect(queue.pending()).toEqual(model.calls.map(({ id }) => calls.get(id)))
        }
      }),
      { numRuns: 300 },
    )
  })
})
