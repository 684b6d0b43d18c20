import { setReporter } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const day = 24 * 60 * 60 * 1000

describe('callLater', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'],
    })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  function recorder(): { reactor: NodeReactor; log: string[]; say: (word: string) => () => void } {
    const log: string[] = []
    return { reactor: new NodeReactor(), log, say: (word) => () => log.push(word) }
  }

  it('calls in the order of time, and of asking where the time is the same', () => {
    const { reactor, log, say } = recorder()
    reactor.callLater(20, say('d'))
    reactor.callLater(10, say('b'))
    reactor.callLater(0, say('a'))
    reactor.callLater(10, say('c'))
    vi.advanceTimersByTime(20)
    expect(log).toEqual(['a', 'b', 'c', 'd'])
  })

  it('never calls before it has returned, and never early', () => {
    const { reactor, log, say } = recorder()
    reactor.callLater(0, say('now'))
    reactor.callLater(10.5, say('later'))
    expect(log).toEqual([])
    vi.advanceTimersByTime(10)
    expect(log).toEqual(['now'])
    vi.advanceTimersByTime(1)
    expect(log).toEqual(['now', 'later'])
  })

  it('goes on waiting when Node wakes it early', () => {
    const { reactor, log, say } = recorder()
    const real = globalThis.setTimeout
    const early = (f: () => void, ms?: number): NodeJS.Timeout => real(f, (ms ?? 0) - 1)
    vi.spyOn(globalThis, 'setTimeout').mockImplementationOnce(early)
    reactor.callLater(10, say('called'))
    vi.advanceTimersByTime(9)
    expect([log, vi.getTimerCount()]).toEqual([[], 1])
    vi.advanceTimersByTime(1)
    expect(log).toEqual(['called'])
  })

  it('lets a call at once that asks for another one at once wait for the next turn', () => {
    const { reactor, log, say } = recorder()
    reactor.callLater(0, () => {
      log.push('first')
      reactor.callLater(0, say('third'))
    })
    reactor.callLater(0, say('second'))
    vi.advanceTimersToNextTimer()
    expect(log).toEqual(['first', 'second'])
    vi.advanceTimersToNextTimer()
    expect(log).toEqual(['first', 'second', 'third'])
  })

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 40])('waits %d ms, however long Node can wait at a time', (ms) => {
    const armed = vi.spyOn(globalThis, 'setTimeout')
    const { reactor, log, say } = recorder()
    reactor.callLater(ms, say('called'))
    expect(armed.mock.calls.map(([, delay]) => delay)).toEqual([Math.min(ms, 2 ** 31 - 1)])
    vi.advanceTimersByTime(2 ** 31 - 2)
    expect(log).toEqual([])
    expect(armed.mock.calls.every(([, delay]) => (delay ?? 0) <= 2 ** 31 - 1)).toBe(true)
    for (let left = ms - (2 ** 31 - 2); left > 0; left -= 20 * day) vi.advanceTimersByTime(Math.min(left, 20 * day))
    expect(log).toEqual(['called'])
    expect(reactor.now()).toBeGreaterThanOrEqual(ms)
  })

  it.each([NaN, -1, -0.001, Infinity, -Infinity])('refuses %d ms', (ms) => {
    const { reactor } = recorder()
    expect(() => reactor.callLater(ms, () => {})).toThrow(RangeError)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('arms one timer of Node for however many calls, and none when there are none', () => {
    const { reactor } = recorder()
    const calls = Array.from({ length: 1000 }, (_, index) => reactor.callLater(10 + ((index * 7919) % 1000), () => {}))
    expect(vi.getTimerCount()).toBe(1)
    for (const call of calls.slice(1)) call.cancel()
    expect(vi.getTimerCount()).toBe(1)
    calls[0]?.cancel()
    expect(vi.getTimerCount()).toBe(0)
    expect(reactor.stats().timers).toBe(0)
  })

  it('holds Node up only for calls that are to come', () => {
    const { reactor } = recorder()
    reactor.callLater(0, () => {}).cancel()
    expect(vi.getTimerCount()).toBe(0)
    reactor.callLater(0, () => {})
    vi.advanceTimersByTime(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('calls sooner or later when told so', () => {
    const { reactor, log, say } = recorder()
    const call = reactor.callLater(100, say('moved'))
    reactor.callLater(50, say('fixed'))
    call.reset(10)
    vi.advanceTimersByTime(9)
    call.delay(-5)
    vi.advanceTimersByTime(1)
    expect(log).toEqual(['moved'])
    reactor.callLater(10, say('much later')).delay(100)
    vi.advanceTimersByTime(40)
    expect(log).toEqual(['moved', 'fixed'])
    vi.advanceTimersByTime(70)
    expect(log).toEqual(['moved', 'fixed', 'much later'])
  })

  it('can be cancelled by a call that is due at the same moment', () => {
    const { reactor, log, say } = recorder()
    reactor.callLater(10, () => other.cancel())
    const other = reactor.callLater(10, say('cancelled'))
    vi.advanceTimersByTime(100)
    expect(log).toEqual([])
  })

  it.each<[how: string, fail: () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    ['returns a promise that is rejected', () => Promise.reject(new Error('broken'))],
  ])('reports a call that %s, once, and makes the others', async (_how, fail) => {
    const errors: unknown[] = []
    const restore = setReporter(({ error, what }) => errors.push([what, (error as Error).message]))
    const { reactor, log, say } = recorder()
    reactor.callLater(1, fail)
    reactor.callLater(1, say('the next one'))
    vi.advanceTimersByTime(1)
    await Promise.resolve()
    restore()
    expect(log).toEqual(['the next one'])
    expect(errors).toEqual([['A delayed call failed', 'broken']])
  })
})
