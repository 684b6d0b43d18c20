/** The pictures of what happened: timeline, prose, and the chain of a Deferred. */
import * as fc from 'fast-check'
import {
  CancelledError,
  Deferred,
  Recorder,
  setTracer,
  succeed,
  TCPClientEndpoint,
  toBytes,
  type TraceEvent,
} from 'couplet'
import {
  drawBar,
  drawChain,
  drawTimeline,
  getRecorded,
  PoetryFactory,
  storyOf,
  type Task,
  tell,
  type Timeline,
} from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { describe, expect, it, onTestFinished } from 'vitest'

/** Two slow poets, 100 ms away, and somebody who writes everything down. */
function world() {
  const sim = new Sim({ latency: 100 })
  const server = sim.host('server').reactor
  const reactor = sim.host('client').reactor
  server.listenTCP(10_000, new PoetryFactory(server, toBytes('one\ntwo\nthree\nfour\n')))
  server.listenTCP(10_001, new PoetryFactory(server, toBytes('one\ntwo\n'), { delay: 400 }))
  sim.advance()
  const recorder = new Recorder({ now: () => sim.now })
  onTestFinished(setTracer(recorder))
  const get = (port: number) => getRecorded(recorder, `server:${port}`, new TCPClientEndpoint(reactor, 'server', port))
  return { get, recorder, sim }
}

/** What `f` does, on record. */
function recorded(f: (recorder: Recorder) => void): readonly TraceEvent[] {
  const recorder = new Recorder({ now: () => 0 })
  const restore = setTracer(recorder)
  f(recorder)
  restore()
  return recorder.events
}

function asText({ axis, rows, atOnce, legend }: Timeline): string[] {
  const margin = ' '.repeat((rows[0]?.name.length ?? 0) + 2)
  return [
    ...axis.map((line) => margin + line),
    ...rows.map(({ name, bar, result }) => `${name}  ${bar}  ${result}`),
    `${'at once'.padEnd(margin.length)}${atOnce}`,
    legend.join('   '),
  ]
}

describe('the story of some poems', () => {
  it('is found in the record, each poem with its own connection, also where two have the same name', () => {
    const { get, recorder, sim } = world()
    get(10_000)
    const second = get(10_000)
    get(9).addErrback(() => undefined)
    sim.advance(1500)
    second.addErrback(({ value }) => expect(value).toBeInstanceOf(CancelledError))
    second.cancel()
    sim.advance(10_000)
    const times = storyOf(recorder.events).tasks.map(({ asked, connected, pieces, whole, failed }) => ({
      asked: asked.ms,
      connected: connected?.ms,
      pieces: pieces.map(({ ms, bytes }) => [ms, bytes]),
      whole: whole?.ms,
      failed: failed?.ms,
    }))
    expect(times).toEqual([
      {
        asked: 0,
        connected: 200,
        pieces: [
          [1400, 4],
          [2400, 4],
          [3400, 6],
          [4400, 5],
        ],
        whole: 4400,
        failed: undefined,
      },
      { asked: 0, connected: 200, pieces: [[1400, 4]], whole: undefined, failed: 1500 },
      { asked: 0, connected: undefined, pieces: [], whole: undefined, failed: 200 },
    ])
  })

  it('is not told at all while nobody records', () => {
    const { sim, recorder } = world()
    setTracer(undefined)
    const { reactor } = sim.host('another')
    getRecorded(undefined, 'poem', new TCPClientEndpoint(reactor, 'server', 10_000))
    sim.advance(10_000)
    expect(recorder.events).toEqual([])
  })
})

describe('a timeline', () => {
  it('shows who was waited for and when something was read', () => {
    const { get, recorder, sim } = world()
    get(10_000)
    sim.advance(500)
    get(10_001)
    get(9).addErrback(() => undefined)
    sim.advance(10_000)
    expect(asText(drawTimeline(storyOf(recorder.events), 80))).toEqual([
      '              0        1         2        3         4 s',
      '              ├────────┼─────────┼────────┼─────────┼───╴',
      'server:10000  ╌╌───────────●────────●─────────●─────────●  4.40 s     19 bytes',
      'server:10001       ╌╌─────●───●                            1.20 s      8 bytes',
      'server:9           ╌✗                                      0.20 s  ✗   0 bytes',
      'at once       1111133222222222211111111111111111111111111',
      '╌ connects   ─ waits for the poet   ● something is read   ✗ fails',
    ])
  })

  it('says that a poem is still on its way', () => {
    const { get, recorder, sim } = world()
    const poem = get(10_000)
    sim.advance(2500)
    const { rows } = drawTimeline(storyOf(recorder.events), 80)
    expect(rows[0]?.bar).toMatch(/^╌+─+●─+●$/)
    expect(rows[0]?.result).toBe('2.40 s  …  8 bytes')
    poem.addErrback(() => undefined)
    poem.cancel()
    sim.advance(1000)
  })

  it('has a row for forty poems, and counts the others', () => {
    const moment = { ms: 0, seq: 1 }
    const tasks = Array.from({ length: 100 }, (_, i): Task => ({ name: `${i}`, asked: moment, pieces: [] }))
    const { rows, more, atOnce } = drawTimeline({ tasks, now: 1000 }, 80)
    expect([rows.length, more]).toEqual([40, 60])
    expect(atOnce).toMatch(/^\++$/)
  })

  it('is of nothing if nothing was asked for', () => {
    expect(drawTimeline({ tasks: [], now: 0 }, 80)).toMatchObject({ rows: [], more: 0, legend: [] })
  })

  it('never is wider than wished, has all its bars of one width, and lets no name move the cursor', () => {
    const ms = fc.nat(20_000)
    const task = fc.record({ name: fc.string({ unit: 'binary' }), asked: ms, after: fc.array(ms, { maxLength: 6 }) })
    fc.assert(
      fc.property(fc.array(task, { maxLength: 5 }), fc.integer({ min: 60, max: 120 }), (drawn, width) => {
        const tasks = drawn.map(({ name, asked, after }): Task => {
          const pieces = after.map((each) => asked + each).sort((a, b) => a - b)
          return {
            name,
            asked: { ms: asked, seq: 1 },
            connected: { ms: asked, seq: 2 },
            pieces: pieces.map((each) => ({ ms: each, seq: 3, bytes: 7 })),
            ...(pieces.length % 2 === 0 ? { whole: { ms: pieces.at(-1) ?? asked, seq: 4 } } : {}),
          }
        })
        const timeline = drawTimeline({ tasks, now: 40_000 }, width)
        const lines = asText(timeline)
        for (const line of lines.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(width)
        expect(lines.join('')).not.toMatch(/\p{Cc}/u)
        expect(new Set(timeline.rows.map(({ bar }) => bar.length)).size).toBeLessThanOrEqual(1)
        for (const [index, one] of tasks.entries()) {
          const marks = timeline.rows[index]?.bar.match(/●/g)?.length ?? 0
          expect(marks).toBeLessThanOrEqual(one.pieces.length)
          expect(marks > 0).toBe(one.pieces.length > 0)
        }
      }),
    )
  })

  it('shows a transform as something that takes time of its own', () => {
    const at = (ms: number) => ({ ms, seq: 1 })
    const task = { name: 'a', asked: at(0), connected: at(0), pieces: [{ ...at(500), bytes: 1 }], whole: at(500) }
    expect(drawBar({ ...task, transformed: at(1000) }, { span: 1000, width: 10, now: 1000 })).toBe('────●════◆')
    expect(drawBar({ ...task, failed: { ...at(800), why: '' } }, { span: 1000, width: 10, now: 1000 })).toBe('────●══✗')
    expect(drawBar(task, { span: 1000, width: 10, now: 1000 })).toBe('────●')
  })
})

describe('the same as prose', () => {
  it('tells what happened, and for whom everybody waited while nothing did', () => {
    const { get, recorder, sim } = world()
    get(10_001)
    sim.advance(300)
    get(9).addErrback(() => undefined)
    sim.advance(10_000)
    expect(tell(storyOf(recorder.events))).toEqual([
      '   0.00 s  asks server:10001 for its poem',
      '           … 0.20 s of waiting for server:10001',
      '   0.20 s  is connected with server:10001',
      '           … 0.10 s of waiting for server:10001',
      '   0.30 s  asks server:9 for its poem',
      '           … 0.20 s of waiting for 2 poets at once',
      '   0.50 s  gives up: 10.0.0.1:9: connection refused (is the server running?)',
      '           … 0.30 s of waiting for server:10001',
      '   0.80 s  reads 4 bytes from server:10001',
      '           … 0.40 s of waiting for server:10001',
      '   1.20 s  reads 4 bytes from server:10001 (8 by now)',
      '   1.20 s  server:10001 hangs up: the poem is whole, 8 bytes',
    ])
  })
})

describe('the chain of a Deferred', () => {
  it('is two rails with the stages on them, and the path that the result took', () => {
    let id = ''
    const events = recorded((recorder) => {
      const d = new Deferred<number>()
      d.addCallback(function double(n) {
        return n * 2
      })
        .addErrback(function recover() {
          return 0
        })
        .addCallback(function explode() {
          throw new Error('boom')
        })
        .addCallback(function skipped() {
          return 1
        })
        .addErrback(() => 'poem')
        .addBoth(function tidyUp(poem) {
          return poem
        })
      d.callback(21)
      id = recorder.id(d)
    })
    expect(drawChain(events, id)).toEqual([
      '         values             failures',
      '            ●                   ┊             fires with 21',
      '            │                   ┊',
      '        [double]                ┊             21 → 42',
      '            │                   ┊',
      '            │               (recover)         passed by',
      '            │                   ┊',
      '        [explode]               ┊             42 → fails: Error: boom',
      '            ╰───────────────────╮',
      '            ┊                   │',
      '        (skipped)               │             passed by',
      '            ┊                   │',
      '            ┊               [stage 5]         Error: boom → "poem"',
      '            ╭───────────────────╯',
      '            │                   ┊',
      '        [tidyUp]            (tidyUp)          hands it on',
      '            │                   ┊',
      '            ▼                   ┊             ends as a value',
    ])
  })

  it('waits where a stage returns another Deferred, and says what came of it', () => {
    const sim = new Sim()
    const recorder = new Recorder({ now: () => sim.now })
    const restore = setTracer(recorder)
    const inner = new Deferred<string>()
    const d = succeed(1).addCallback(function fetch() {
      return inner
    })
    d.addCallback(function read() {
      return succeed('there already')
    })
    const waiting = drawChain(recorder.events, recorder.id(d))
    sim.advance(2000)
    inner.callback('a poem')
    restore()
    expect(waiting).toEqual([
      '         values             failures',
      '            ●                   ┊             fires with 1',
      '            │                   ┊',
      '         [fetch]                ┊             waits for d1',
      '            ┊                   ┊',
      '         (read)                 ┊             not reached yet',
    ])
    expect(drawChain(recorder.events, recorder.id(d)).slice(3)).toEqual([
      '         [fetch]                ┊             waits for d1',
      '            ┊                   ┊             … 2.00 s later',
      '            ●                   ┊             d1 gave "a poem"',
      '            │                   ┊',
      '         [read]                 ┊             waits for d3',
      '            ●                   ┊             d3 gave "there already"',
      '            │                   ┊',
      '            ▼                   ┊             ends as a value',
    ])
  })

  it('shows a cancelling, and a failure that nobody took', () => {
    let id = ''
    const events = recorded((recorder) => {
      const d = new Deferred<number>()
      d.addCallback(function never() {
        return 1
      })
      d.cancel()
      d.addErrback(() => undefined)
      id = recorder.id(d)
    })
    const lines = drawChain(events, id)
    expect(lines[1]).toBe('            ┊                   ┊             somebody cancels it')
    expect(lines[2]).toMatch(/^ {12}┊ {19}● {13}fails: CancelledError: The Deferr…$/)
  })

  it('is nothing for a Deferred that the record does not know', () => {
    expect(drawChain([], 'd1')).toEqual([])
  })

  it('draws any chain, in 80 columns, each stage once', () => {
    const step = fc.constantFrom('value', 'throw', 'errback', 'both', 'wait', 'there')
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), fc.nat(12), (steps, ok, fireAt) => {
        let id = ''
        const events = recorded((recorder) => {
          const inners: Deferred<number>[] = []
          const d = new Deferred<unknown>()
          const fire = (): void => (ok ? d.callback(1) : d.errback(new Error('first')))
          const fail = (): never => {
            throw new Error(`a message that is long enough to be cut somewhere ${'x'.repeat(90)}`)
          }
          for (const [index, what] of steps.entries()) {
            if (index === fireAt) fire()
            if (what === 'value') d.addCallback(() => index)
            else if (what === 'throw') d.addCallback(fail)
            else if (what === 'errback') d.addErrback(() => index)
            else if (what === 'both') d.addBoth((result) => result)
            else if (what === 'there') d.addCallback(() => succeed('here'))
            else {
              const inner = new Deferred<number>()
              inners.push(inner)
              d.addCallback(() => inner)
            }
          }
          if (fireAt >= steps.length) fire()
          for (const inner of inners.slice(1)) inner.callback(1)
          d.addErrback(() => undefined)
          id = recorder.id(d)
        })
        const lines = drawChain(events, id)
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
        const stations = lines.filter((line) => /[[(]/.test(line.slice(0, 46)))
        expect(stations).toHaveLength(steps.length + 1)
      }),
    )
  })
})
