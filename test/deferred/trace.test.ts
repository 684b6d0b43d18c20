/** What a Deferred tells the trace, and that the record keeps the invariants of Deferreds. */
import { afterEach, describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { gatherResults } from '../../src/framework/deferred/gathering.ts'
import { inlineCallbacks } from '../../src/framework/deferred/inline-callbacks.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { setTracer } from '../../src/framework/trace/hook.ts'
import { Recorder, type TraceEvent } from '../../src/framework/trace/recorder.ts'
import { takeReports } from './reports.ts'

const reports = takeReports()
afterEach(() => void setTracer(undefined))

function record(f: () => void): readonly TraceEvent[] {
  const recorder = new Recorder({ now: () => 0 })
  const restore = setTracer(recorder)
  f()
  restore()
  return recorder.events
}

/** As in `3 d.run d1 up 2 by 1 {...}`. */
function line({ seq, k, on, up, by, t: _t, p: _p, ...rest }: TraceEvent): string {
  const cause = by === undefined ? '' : ` by ${by}`
  return `${seq} ${k} ${on} up ${up}${cause} ${JSON.stringify(rest)}`
}

describe('the record of a Deferred', () => {
  it('tells of its making, its stages, its firing, and why each stage ran', () => {
    const events = record(() => {
      const d = new Deferred<number>(undefined, { label: 'poem' })
      d.addCallback(function double(n) {
        return n * 2
      })
      d.addErrback(function recover() {
        return 0
      })
      d.addCallback(function explode() {
        throw new Error('boom')
      })
      d.callback(21)
      d.addErrback(() => {})
    })
    expect(events.map(line)).toEqual([
      '1 d.new d1 up 0 {"how":"plain","label":"poem"}',
      '2 d.add d1 up 0 {"i":0,"cb":"double"}',
      '3 d.add d1 up 0 {"i":1,"eb":"recover"}',
      '4 d.add d1 up 0 {"i":2,"cb":"explode"}',
      '5 d.fire d1 up 0 {"ok":true,"v":21}',
      '6 d.run d1 up 5 by 5 {"i":0,"side":"callback","fn":"double","in":21,"add":2}',
      '7 end d1 up 6 {"ok":true,"v":42,"of":6}',
      '8 d.pass d1 up 5 {"i":1,"side":"callback"}',
      '9 d.run d1 up 5 by 5 {"i":2,"side":"callback","fn":"explode","in":42,"add":4}',
      '10 end d1 up 9 {"ok":false,"v":"Error: boom","of":9}',
      '11 end d1 up 5 {"of":5}',
      '12 d.add d1 up 0 {"i":3,"eb":""}',
      '13 d.run d1 up 0 by 5 {"i":3,"side":"errback","fn":"","in":"Error: boom","add":12}',
      '14 end d1 up 13 {"ok":true,"of":13}',
    ])
  })

  it('tells whom a chain waits for, and what lets it go on', () => {
    const inner = new Deferred<string>()
    const events = record(() => {
      const outer = succeed(1).addCallback(function wait() {
        return inner
      })
      outer.addCallback(function read(poem) {
        return poem
      })
      inner.callback('poem')
    })
    expect(events.map(line)).toEqual([
      '1 d.new d1 up 0 {"how":"succeed"}',
      '2 d.fire d1 up 0 {"ok":true,"v":1}',
      '3 end d1 up 2 {"of":2}',
      '4 d.add d1 up 0 {"i":0,"cb":"wait"}',
      '5 d.run d1 up 0 by 2 {"i":0,"side":"callback","fn":"wait","in":1,"add":4}',
      '6 end d1 up 5 {"chain":"d2","of":5}',
      '7 d.wait d1 up 0 {"inner":"d2"}',
      '8 d.add d1 up 0 {"i":1,"cb":"read"}',
      '9 d.fire d2 up 0 {"ok":true,"v":"\\"poem\\""}',
      '10 d.resume d1 up 9 by 9 {"ok":true,"v":"\\"poem\\""}',
      '11 d.run d1 up 9 by 10 {"i":1,"side":"callback","fn":"read","in":"\\"poem\\"","add":8}',
      '12 end d1 up 11 {"ok":true,"v":"\\"poem\\"","of":11}',
      '13 end d2 up 9 {"of":9}',
    ])
  })

  it('tells of no waiting time where the other has its result already, and still what came of it', () => {
    const events = record(() => {
      const inner = succeed('poem')
      succeed(1).addCallback(function wait() {
        return inner
      })
      fail('boom')
        .addErrback(() => fail('bang'))
        .addErrback(() => {})
    })
    expect(events.filter(({ k }) => k === 'd.wait' || k === 'd.resume').map(line)).toEqual([
      '10 d.wait d2 up 0 {"inner":"d1"}',
      '11 d.resume d2 up 0 by 2 {"ok":true,"v":"\\"poem\\""}',
      '21 d.wait d3 up 0 {"inner":"d4"}',
      '22 d.resume d3 up 0 by 18 {"ok":false,"v":"\\"bang\\""}',
    ])
  })

  it('tells of a cancel and where it went, and of a failure that was lost', () => {
    const events = record(() => {
      const inner = new Deferred<string>(() => {})
      succeed(1)
        .addCallback(() => inner)
        .cancel()
      fail('boom')
      reports.endTurn()
    })
    expect(events.filter(({ k }) => k === 'd.cancel').map(line)).toEqual(['9 d.cancel d2 up 0 {"inner":"d1"}'])
    expect(events.filter(({ k }) => k === 'd.lost').map(({ on, v }) => [on, v])).toEqual([['d3', '"boom"']])
  })

  it('tells what gatherings are made of, and names generators', () => {
    const events = record(() => {
      gatherResults([succeed(1), succeed(2)])
      inlineCallbacks(function* download() {
        yield* succeed(3)
      })()
    })
    const made = events.filter(({ k }) => k === 'd.new')
    expect(made.map(({ how, of, label }) => [how, of, label])).toEqual([
      ['succeed', undefined, undefined],
      ['succeed', undefined, undefined],
      ['gather', ['d1', 'd2'], undefined],
      ['inline', undefined, 'download'],
      ['succeed', undefined, undefined],
    ])
  })

  it('keeps the invariants: spans nest and close, causes come before, each stage runs or passes once, in order', () => {
    const events = record(() => {
      const ds = Array.from({ length: 10 }, () => new Deferred<unknown>())
      for (const [i, d] of ds.entries()) {
        d.addCallback((v) => ds[i + 1] ?? v)
        d.addErrback(() => 'recovered')
        d.addBoth((v) => v)
      }
      for (const i of [0, 1, 9, 8, 4, 2, 3, 7, 5, 6]) ds[i]?.callback(1)
    })
    const open: number[] = []
    const fired = new Set<string>()
    const added = new Map<string, number>()
    const next = new Map<string, number>()
    for (const { seq, k, on, up, by, of, i } of events) {
      expect(up).toBeLessThan(seq)
      expect(by ?? 0).toBeLessThan(seq)
      if (k === 'd.fire' || k === 'd.run') open.push(seq)
      if (k === 'end') expect(open.pop()).toBe(of)
      if (k === 'd.fire') {
        expect(fired.has(on)).toBe(false)
        fired.add(on)
      }
      if (k === 'd.add') added.set(on, (added.get(on) ?? 0) + 1)
      if (k === 'd.run' || k === 'd.pass') {
        expect(i).toBe(next.get(on) ?? 0)
        next.set(on, Number(i) + 1)
      }
    }
    expect(open).toEqual([])
    expect(fired.size).toBe(10)
    expect(next).toEqual(added)
  })

  it('is empty while nobody listens, and a tracer that comes late does no harm', () => {
    const d = new Deferred<number>()
    d.addCallback((n) => n)
    const events = record(() => d.callback(1))
    expect(events.map(({ k }) => k)).toEqual(['d.fire', 'd.run', 'end', 'end'])
  })
})
