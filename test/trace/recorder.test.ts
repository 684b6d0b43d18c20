/** The recorder: what it writes down, and what it makes of it. */
import { afterEach, describe, expect, it } from 'vitest'
import { setTracer, trace } from '../../src/framework/trace/hook.ts'
import { Recorder, type TraceEvent } from '../../src/framework/trace/recorder.ts'

afterEach(() => void setTracer(undefined))

/** A recorder on a clock that the test moves. */
function recorder(options: { detail?: 1 | 2 | 3; maxEvents?: number } = {}) {
  const clock = { ms: 100 }
  return { clock, record: new Recorder({ now: () => clock.ms, ...options }) }
}

class Reactor {
  readonly kind = 'reactor'
}
class Thing {
  readonly kind = 'thing'
}

describe('the hook', () => {
  it('is nobody until a tracer is set, and what was there before when that is taken back', () => {
    const { record } = recorder()
    expect(trace).toBeUndefined()
    const restore = setTracer(record)
    trace?.at('mark', {})
    expect(record.events).toHaveLength(1)
    restore()
    trace?.at('mark', {})
    expect(record.events).toHaveLength(1)
  })
})

describe('a recorder', () => {
  it('numbers events from 1 and counts whole microseconds from its making', () => {
    const { clock, record } = recorder()
    expect(record.at('d.new', new Thing())).toBe(1)
    clock.ms += 1.5
    expect(record.at('d.new', new Thing())).toBe(2)
    expect(record.events.map(({ seq, t }) => [seq, t])).toEqual([
      [1, 0],
      [2, 1500],
    ])
  })

  it('gives subjects short names by their kind, at first use', () => {
    const { record } = recorder()
    const [d, e, c, t, l, o, p] = Array.from({ length: 7 }, () => new Thing())
    record.at('d.new', d!)
    record.at('d.new', e!)
    record.at('d.fire', d!)
    record.at('conn.open', c!)
    record.at('bytes.write', c!)
    record.at('timer.set', t!)
    record.at('listen', l!)
    record.at('rx.sub', o!)
    record.at('proc', p!)
    expect(record.events.map(({ on }) => on)).toEqual(['d1', 'd2', 'd1', 'c1', 'c1', 't1', 'l1', 'o1', 'p1'])
    expect(record.id(c!)).toBe('c1')
    expect(record.id(new Thing())).toBe('x1')
  })

  it('says who called by the innermost open span, and why by what it is told', () => {
    const { record } = recorder()
    const [a, b] = [new Thing(), new Thing()]
    const outer = record.begin('d.fire', a)
    const inner = record.begin('d.run', a, { i: 0 })
    record.at('d.new', b, {}, outer)
    record.end(inner, { ok: true, v: 42 })
    record.at('d.pass', a)
    record.end(outer)
    record.at('d.new', new Thing())
    expect(record.events.map(({ k, up, by, of }) => ({ k, up, by, of }))).toEqual([
      { k: 'd.fire', up: 0 },
      { k: 'd.run', up: 1 },
      { k: 'd.new', up: 2, by: 1 },
      { k: 'end', up: 2, of: 2 },
      { k: 'd.pass', up: 1 },
      { k: 'end', up: 1, of: 1 },
      { k: 'd.new', up: 0 },
    ])
    expect(record.events[3]).toMatchObject({ ok: true, v: 42, on: 'd1' })
  })

  it('closes what is still open inside a span that ends, and ignores an end that it knows nothing of', () => {
    const { record } = recorder()
    const a = new Thing()
    const outer = record.begin('call', a)
    const forgotten = record.begin('d.run', a)
    record.end(outer, { threw: 'boom' })
    record.end(forgotten)
    record.end(99)
    const ends = record.events.filter(({ k }) => k === 'end')
    expect(ends.map(({ of, threw }) => [of, threw])).toEqual([
      [forgotten, undefined],
      [outer, 'boom'],
    ])
  })

  it('remembers what enables a subject to go on', () => {
    const { record } = recorder()
    const a = new Thing()
    expect(record.marked(a)).toBeUndefined()
    record.mark(a, record.at('d.fire', a))
    expect(record.marked(a)).toBe(1)
  })
})

describe('the process of an event', () => {
  it('is the reactor it is told, then the one its subject was seen in, then that of the span, then the last one', () => {
    const { record } = recorder()
    const [one, two] = [new Reactor(), new Reactor()]
    record.at('proc', one, { name: 'client' })
    record.at('proc', two, { name: 'server' })
    const [timer, d, e] = [new Thing(), new Thing(), new Thing()]
    record.at('timer.set', timer, { p: one })
    record.at('timer.cancel', timer)
    const span = record.begin('call', timer)
    record.at('d.new', d)
    record.end(span)
    record.at('d.fire', d)
    record.at('d.new', e)
    expect(record.events.map(({ k, on, p }) => `${k} ${on} ${p}`)).toEqual([
      'proc p1 p1',
      'proc p2 p2',
      'timer.set t1 p1',
      'timer.cancel t1 p1',
      'call t1 p1',
      'd.new d1 p1',
      'end t1 p1',
      'd.fire d1 p1',
      'd.new d2 p2',
    ])
    expect(record.events[2]).toHaveProperty('p', 'p1')
  })

  it('is p1 when nobody said anything', () => {
    const { record } = recorder()
    record.at('d.new', new Thing())
    expect(record.events[0]?.p).toBe('p1')
  })
})

describe('the fields of an event', () => {
  it('are JSON-safe previews, taken when it happens and cut at 80 characters', () => {
    const { record } = recorder()
    const list = [1, 2]
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('no')
        },
        getPrototypeOf: () => null,
      },
    )
    const values: [unknown, unknown][] = [
      ['a "line"\n', '"a \\"line\\"\\n"'],
      [42, 42],
      [NaN, 'NaN'],
      [null, null],
      [true, true],
      [10n, '10n'],
      [Symbol('s'), 'Symbol(s)'],
      [new TypeError('boom'), 'TypeError: boom'],
      [new Uint8Array([71, 69, 84, 27]), '<4 bytes> "GET\\u001b"'],
      [list, 'Array(2)'],
      [new Thing(), 'Thing'],
      [Object.create(null), 'Object'],
      [(): void => {}, 'function '],
      [hostile, 'object'],
    ]
    for (const [v] of values) record.at('d.fire', new Thing(), { v })
    list.push(3)
    expect(record.events.map((event) => event['v'])).toEqual(values.map(([, shown]) => shown))
    expect(JSON.parse(JSON.stringify(record.events))).toEqual(record.events)
    record.at('d.fire', new Thing(), { v: 'x'.repeat(1000), label: 'y'.repeat(1000) })
    expect(record.events.at(-1)?.['v']).toHaveLength(80)
    expect(record.events.at(-1)?.['label']).toHaveLength(80)
  })

  it('name other subjects by their short names', () => {
    const { record } = recorder()
    const [inner, outer] = [new Thing(), new Thing()]
    record.at('d.new', inner)
    record.at('d.wait', outer, { inner })
    record.at('d.new', new Thing(), { of: [inner, outer] })
    record.at('d.fire', outer, { v: inner })
    expect(record.events.map(({ inner: i, of, v }) => i ?? of ?? v)).toEqual([undefined, 'd1', ['d1', 'd2'], 'd1'])
  })

  it('escape what could move a terminal’s cursor', () => {
    const { record } = recorder()
    record.at('d.new', new Thing(), { label: 'red \u001B[31m' })
    expect(record.events[0]?.['label']).toBe('red \\x1b[31m')
  })

  it('leave the payload out at detail 1, and say where it was at detail 3', () => {
    const one = recorder({ detail: 1 }).record
    one.at('d.fire', new Thing(), { ok: true, v: 'secret' })
    expect(one.events[0]).not.toHaveProperty('v')
    expect(one.events[0]).toHaveProperty('ok', true)
    const three = recorder({ detail: 3 }).record
    setTracer(three)
    trace?.at('d.new', new Thing())
    expect(three.events[0]?.['site']).toMatch(/^.*recorder\.test\.ts/)
  })
})

describe('maxEvents', () => {
  it('keeps the newest, oldest first, and counts the dropped', () => {
    const { record } = recorder({ maxEvents: 3 })
    for (let i = 0; i < 3; i++) record.at('d.new', new Thing())
    expect(record.events.map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect(record.dropped).toBe(0)
    for (let i = 0; i < 5; i++) record.at('d.new', new Thing())
    expect(record.events.map(({ seq }) => seq)).toEqual([6, 7, 8])
    expect(record.dropped).toBe(5)
  })
})

describe('wrote', () => {
  it('hears of each event once, in order, ends of spans and events that are forgotten later included', () => {
    const heard: TraceEvent[] = []
    const record = new Recorder({ now: () => 0, maxEvents: 1, wrote: (event) => heard.push(event) })
    const outer = record.begin('call', new Thing())
    record.begin('d.fire', new Thing())
    record.end(outer)
    expect(heard.map(({ seq, k }) => `${seq} ${k}`)).toEqual(['1 call', '2 d.fire', '3 end', '4 end'])
    expect(record.events).toEqual(heard.slice(3))
  })
})
