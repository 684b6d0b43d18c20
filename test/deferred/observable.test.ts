/** A Deferred as an Observable, with RxJS itself. */
import { from, lastValueFrom, type Observable } from 'rxjs'
import { describe, expect, it, vi } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

const reports = takeReports()
const boom = new Error('boom')

function log(events: unknown[]) {
  return {
    next: (value: unknown) => events.push(['next', value]),
    error: (error: unknown) => events.push(['error', error]),
    complete: () => events.push(['complete']),
  }
}

describe('from(deferred)', () => {
  it('delivers the value and completes, inside callback()', () => {
    const events: unknown[] = []
    const d = new Deferred<number>()
    const observable: Observable<number> = from(d)
    observable.subscribe(log(events))
    d.callback(1)
    expect(events).toEqual([['next', 1], ['complete']])
  })

  it('delivers at once when the Deferred has fired, and to every subscriber', () => {
    const events: unknown[] = []
    const observable = from(succeed(1))
    observable.subscribe(log(events))
    observable.subscribe(log(events))
    expect(events).toEqual([['next', 1], ['complete'], ['next', 1], ['complete']])
  })

  it('delivers a failure as the real Error', () => {
    const events: unknown[] = []
    from(fail(boom)).subscribe(log(events))
    expect(events).toEqual([['error', boom]])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('takes its place in the chain: the result so far, which goes on unchanged', () => {
    const events: unknown[] = []
    const d = new Deferred<number>()
    d.addCallback((n) => n + 1)
    from(d).subscribe((n) => events.push(n))
    d.addCallback((n) => events.push(n * 100))
    d.callback(1)
    expect(events).toEqual([2, 200])
  })

  it('unsubscribed hears nothing, and the Deferred goes on', () => {
    const events: unknown[] = []
    let cancelled = 0
    const d = new Deferred<number>(() => cancelled++)
    from(d).subscribe(log(events)).unsubscribe()
    d.callback(1)
    expect(events).toEqual([])
    expect(cancelled).toBe(0)
  })

  it('becomes a promise again', async () => {
    expect(await lastValueFrom(from(succeed('poem')))).toBe('poem')
  })
})

describe("deferred['@@observable']()", () => {
  it('reports what an observer throws, and the chain goes on', () => {
    const d = succeed(1)
    d['@@observable']().subscribe({
      next() {
        throw boom
      },
    })
    const seen: number[] = []
    d.addCallback((n) => seen.push(n))
    expect(seen).toEqual([1])
    expect(reports.all).toEqual([{ error: boom, what: "An observer of a Deferred's outcome threw", subject: d }])
  })

  it('does not complete an observer that unsubscribed within next', () => {
    const events: unknown[] = []
    const d = new Deferred<number>()
    const subscription = d['@@observable']().subscribe({
      next(value) {
        events.push(value)
        subscription.unsubscribe()
      },
      complete: () => events.push('complete'),
    })
    d.callback(1)
    expect(events).toEqual([1])
  })

  it('is Symbol.observable too, where that was defined before the module was loaded', async () => {
    const before = Reflect.get(Symbol, 'observable')
    const symbol = Symbol('observable')
    Object.defineProperty(Symbol, 'observable', { value: symbol, configurable: true, writable: true })
    try {
      vi.resetModules()
      const { Deferred: Fresh } = await import('../../src/framework/deferred/deferred.ts')
      expect(Reflect.get(Fresh.prototype, symbol)).toBe(Fresh.prototype['@@observable'])
    } finally {
      if (before === undefined) Reflect.deleteProperty(Symbol, 'observable')
      else Object.defineProperty(Symbol, 'observable', { value: before, configurable: true, writable: true })
    }
  })
})
