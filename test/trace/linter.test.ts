/** The rules that a trace keeps: those of real runs keep them all, and each rule has a trace that breaks it. */
import { lintTrace, LineReceiver, Recorder, setTracer, type TraceEvent } from 'couplet'
import { clientFromString, ClientService, deferLater, Factory, gatherResults } from 'couplet'
import { Sim } from 'couplet/sim'
import { afterEach, describe, expect, it } from 'vitest'
import type { Fields, Kind } from '../../src/framework/trace/hook.ts'
import { TraceLinter } from '../../src/framework/trace/linter.ts'

afterEach(() => void setTracer(undefined))

class Echo extends LineReceiver {
  override lineReceived(line: Uint8Array): void {
    this.sendLine(line)
  }
}

class Talker extends LineReceiver {
  override lineReceived(): void {}

  override connectionMade(): void {
    for (let line = 0; line < 20; line++) this.sendLine(`line ${line} ${'x'.repeat(20 * line)}`)
  }
}

/** Two hosts that talk until one of them crashes, is busy and starts again, and Deferreds that wait for each other. */
function recorded(maxEvents = Infinity): Recorder {
  const sim = new Sim({ latency: 20, jitter: 5, segmentSize: 100, delivery: 'random', seed: 7 })
  const recorder = new Recorder({ now: () => sim.now, maxEvents })
  const restore = setTracer(recorder)
  const server = sim.host('server')
  server.run((reactor) =>
    reactor.listenTCP(
      7,
      Factory.forProtocol(() => new Echo()),
    ),
  )
  const { reactor } = sim.host('client')
  const factory = Factory.forProtocol(() => new Talker())
  const service = new ClientService(reactor, clientFromString(reactor, 'tcp:server:7'), factory)
  service.startService()
  gatherResults([1, 2, 3].map((ms) => deferLater(reactor, ms).addCallback(() => deferLater(reactor, ms))))
  sim.advance(100)
  server.busy(300)
  sim.advance(1000)
  server.crash('process')
  server.restart()
  reactor.callLater(60_000, () => service.stopService())
  sim.quiesce()
  restore()
  return recorder
}

describe('the trace of a run', () => {
  const { events } = recorded()

  it('keeps every rule, whatever happens on the way', () => {
    expect(events.length).toBeGreaterThan(500)
    expect(lintTrace(events, { whole: true })).toEqual([])
  })

  it('keeps them too if its beginning was forgotten', () => {
    for (const maxEvents of [10, 101, 400]) expect(lintTrace(recorded(maxEvents).events)).toEqual([])
  })

  it.each<Kind | 'end'>([
    'conn.open',
    'conn.made',
    'bytes.write',
    'bytes.sent',
    'bytes.arrive',
    'bytes.recv',
    'timer.set',
    'call',
    'd.new',
    'd.add',
    'd.fire',
    'd.run',
    'd.wait',
    'end',
  ])('breaks one if a single event is missing: %s', (kind) => {
    const gone = events.findIndex(({ k }) => k === kind)
    expect(gone).toBeGreaterThan(0)
    expect(lintTrace(without(events, gone + 1), { whole: true })).not.toEqual([])
  })
})

/** Without one event; the others keep to their numbers as if it had never been. */
function without(events: readonly TraceEvent[], gone: number): TraceEvent[] {
  const moved = (seq: unknown): unknown => (typeof seq === 'number' && seq > gone ? seq - 1 : seq)
  return events
    .filter(({ seq }) => seq !== gone)
    .map((event) => {
      const { seq, up, by } = event
      return { ...event, seq: moved(seq), up: moved(up), by: moved(by), of: moved(event['of']) } as TraceEvent
    })
}

type Step = readonly [kind: Kind | `begin ${Kind}` | 'end', on?: string, fields?: Fields & { readonly by?: number }]

/** Plays a script to both linters: they have to say the same of it. */
function complaintOf(...steps: Step[]): string | undefined {
  let now = 0
  const recorder = new Recorder({ now: () => now })
  const linter = new TraceLinter({ now: () => now, tracer: recorder, whole: true })
  const subjects = new Map<string, object>()
  const subject = (name: string): object => {
    if (!subjects.has(name)) subjects.set(name, name.startsWith('p') ? { now: () => now } : {})
    return subjects.get(name)!
  }
  const open: number[] = []
  for (const [what, on = 'x', { by, ...fields } = {}] of steps) {
    if (typeof fields['wait'] === 'number') now += fields['wait']
    const [kind, opened] = what.split(' ') as [Kind | 'end' | 'begin', Kind?]
    const given = typeof fields['p'] === 'string' ? { ...fields, p: subject(fields['p']) } : fields
    if (kind === 'end') linter.end(open.pop() ?? 0)
    else if (kind === 'begin') open.push(linter.begin(opened!, subject(on), given, by))
    else linter.at(kind, subject(on), given, by)
  }
  const live = linter.complaint
  const [read] = lintTrace(recorder.events, { whole: true })
  expect(live && [live.seq, live.what]).toEqual(read && [read.seq, read.what])
  return live?.what
}

const made: Step[] = [
  ['conn.open', 'c', { p: 'p' }],
  ['conn.made', 'c'],
]
const written: Step = ['bytes.write', 'c', { off: 0, n: 10 }]
const arrived: Step = ['bytes.arrive', 'c', { off: 0, n: 10 }]
const timer: Step = ['timer.set', 't', { at: 10, ms: 10, p: 'p' }]
const fired: Step[] = [
  ['d.new', 'd'],
  ['d.add', 'd', { i: 0 }],
  ['d.add', 'd', { i: 1 }],
  ['begin d.fire', 'd'],
]

describe('nothing is wrong', () => {
  it.each<[string, Step[]]>([
    ['with bytes that go one way and come another', [...made, written, ['bytes.sent', 'c', { off: 0, n: 4 }], arrived]],
    ['with bytes that are lost', [...made, written, ['conn.lost', 'c']]],
    [
      'with a connection that is lost before it is made',
      [
        ['conn.open', 'c'],
        ['conn.lost', 'c'],
      ],
    ],
    ['with a timer that is called when it is due', [timer, ['begin call', 't', { what: 'timer', wait: 10 }], ['end']]],
    [
      'with a timer that is moved',
      [timer, ['timer.reset', 't', { ms: 1 }], ['begin call', 't', { what: 'timer', wait: 1 }], ['end']],
    ],
    [
      'with stages that run and pass',
      [...fired, ['begin d.run', 'd', { i: 0 }], ['end'], ['d.pass', 'd', { i: 1 }], ['end']],
    ],
    ['with a Deferred that waits', [...fired, ['d.wait', 'd'], ['d.resume', 'd'], ['d.pass', 'd', { i: 0 }], ['end']]],
    [
      'with a hook in a process that was busy',
      [...made, ['busy', 'p', { us: 5000, p: 'p' }], ['begin call', 'c', { what: 'dataReceived', wait: 5 }], ['end']],
    ],
    [
      'with a hook that makes its process busy and calls another',
      [
        ...made,
        ['begin call', 'c', { what: 'dataReceived' }],
        ['busy', 'p', { us: 5000, p: 'p' }],
        ['begin call', 'c', { what: 'pauseProducing' }],
        ['end'],
        ['end'],
      ],
    ],
    [
      'with frames over a layer, whose bytes nobody has counted',
      [
        ['frame.in', 'layer', { off: 0, n: 4 }],
        ['frame.in', 'layer', { off: 4, n: 4 }],
      ],
    ],
  ])('%s', (_, steps) => {
    expect(complaintOf(...steps)).toBeUndefined()
  })
})

describe('a rule is broken', () => {
  it.each<[string, string, Step[]]>([
    ['by a cause that comes later', 'its cause is 7, which has not happened', [['mark', 'x', { by: 7 }]]],
    ['by a span that never closes', 'span 1 never closed', [['begin call', 'x', { what: 'main' }]]],
    [
      'by what begins twice',
      'it begins a second time',
      [
        ['d.new', 'd'],
        ['d.new', 'd'],
      ],
    ],
    ['by what never began', 'something happens to it, and it never began', [['conn.made', 'c']]],
    ['by bytes before the connection is made', 'bytes are written before it is made', [made[0]!, written]],
    [
      'by a hook before the connection is made',
      'dataReceived is called before it is made',
      [made[0]!, ['begin call', 'c', { what: 'dataReceived' }], ['end']],
    ],
    ['by a connection that is made twice', 'it is made a second time', [...made, ['conn.made', 'c']]],
    [
      'by a hook after the connection is lost',
      'dataReceived is called after it is lost',
      [...made, ['conn.lost', 'c'], ['begin call', 'c', { what: 'dataReceived' }], ['end']],
    ],
    ['by bytes after the connection is lost', 'bytes arrive after it is lost', [...made, ['conn.lost', 'c'], arrived]],
    [
      'by a connection that is lost twice',
      'conn.lost after it is lost',
      [...made, ['conn.lost', 'c'], ['conn.lost', 'c']],
    ],
    [
      'by connectionLost of a connection that is not',
      'connectionLost is called, and it is made',
      [...made, ['begin call', 'c', { what: 'connectionLost' }], ['end']],
    ],
    [
      'by a second connectionLost',
      'connectionLost is called, and it is over',
      [
        ...made,
        ['conn.lost', 'c'],
        ['begin call', 'c', { what: 'connectionLost' }],
        ['end'],
        ['begin call', 'c', { what: 'connectionLost' }],
        ['end'],
      ],
    ],
    [
      'by a gap in what is written',
      'bytes from 11 on are written, and 10 would be the next',
      [...made, written, ['bytes.write', 'c', { off: 11, n: 1 }]],
    ],
    [
      'by bytes that are sent and were not written',
      '11 bytes are sent, and only 10 were written',
      [...made, written, ['bytes.sent', 'c', { off: 0, n: 11 }]],
    ],
    [
      'by bytes that are sent twice',
      'bytes from 0 on are sent, and 4 would be the next',
      [...made, written, ['bytes.sent', 'c', { off: 0, n: 4 }], ['bytes.sent', 'c', { off: 0, n: 4 }]],
    ],
    [
      'by a gap in what arrives',
      'bytes from 12 on are arrived, and 10 would be the next',
      [...made, arrived, ['bytes.arrive', 'c', { off: 12, n: 1 }]],
    ],
    [
      'by bytes that are received and have not arrived',
      '12 bytes are received, and only 10 were arrived',
      [...made, arrived, ['bytes.recv', 'c', { off: 0, n: 12 }]],
    ],
    [
      'by a gap in what is received',
      'bytes from 1 on are received, and 0 would be the next',
      [...made, arrived, ['bytes.recv', 'c', { off: 1, n: 9 }]],
    ],
    [
      'by bytes that arrive and are not those that were sent',
      'bytes 0 to 10 arrived, and what was sent were 0 to 4',
      [
        ...made,
        ['conn.open', 'far', { p: 'q' }],
        ['conn.made', 'far'],
        ['bytes.write', 'far', { off: 0, n: 10 }],
        ['bytes.sent', 'far', { off: 0, n: 4 }],
        ['bytes.arrive', 'c', { off: 0, n: 10, by: 6 }],
      ],
    ],
    [
      'by bytes from somebody else',
      'bytes arrived that another connection has sent',
      [...made, written, ['bytes.sent', 'c', { off: 0, n: 10 }], ['bytes.arrive', 'c', { off: 0, n: 10, by: 4 }]],
    ],
    ['by a Deferred that fires twice', 'it fires a second time', [...fired, ['end'], ['begin d.fire', 'd'], ['end']]],
    [
      'by a stage that has its turn before its Deferred has fired',
      'stage 0 has its turn before it has fired',
      [...fired.slice(0, 2), ['d.pass', 'd', { i: 0 }]],
    ],
    [
      'by stages out of order',
      'stage 1 has its turn, and 0 would be the next',
      [...fired, ['d.pass', 'd', { i: 1 }], ['end']],
    ],
    [
      'by a stage that has its turn twice',
      'stage 0 has its turn, and 1 would be the next',
      [...fired, ['d.pass', 'd', { i: 0 }], ['d.pass', 'd', { i: 0 }], ['end']],
    ],
    [
      'by a stage that nobody added',
      'stage 2 has its turn, and 2 would be the next',
      [...fired, ['d.pass', 'd', { i: 0 }], ['d.pass', 'd', { i: 1 }], ['d.pass', 'd', { i: 2 }], ['end']],
    ],
    [
      'by stages that are added under a wrong number',
      'stage 1 is added, and 0 would be the next',
      [
        ['d.new', 'd'],
        ['d.add', 'd', { i: 1 }],
      ],
    ],
    [
      'by a stage within a stage',
      'stage 1 has its turn inside of the one before it',
      [...fired, ['begin d.run', 'd', { i: 0 }], ['d.pass', 'd', { i: 1 }], ['end'], ['end']],
    ],
    [
      'by a Deferred that goes on while it waits',
      'stage 0 has its turn while it waits for another Deferred',
      [...fired, ['d.wait', 'd'], ['d.pass', 'd', { i: 0 }], ['end']],
    ],
    [
      'by a Deferred that waits twice',
      'it waits for a second Deferred at once',
      [...fired, ['d.wait', 'd'], ['d.wait', 'd'], ['end']],
    ],
    [
      'by a Deferred that goes on and did not wait',
      'it goes on, and did not wait',
      [...fired, ['d.resume', 'd'], ['end']],
    ],
    [
      'by a timer that is early',
      'it is called at 9 ms, and is due at 10 ms',
      [timer, ['begin call', 't', { what: 'timer', wait: 9 }], ['end']],
    ],
    [
      'by a timer that comes although it was moved',
      'it is called at 10 ms, and is due at 50 ms',
      [timer, ['timer.reset', 't', { ms: 50 }], ['begin call', 't', { what: 'timer', wait: 10 }], ['end']],
    ],
    [
      'by a timer that comes twice',
      'it is called, and was called before',
      [
        timer,
        ['begin call', 't', { what: 'timer', wait: 10 }],
        ['end'],
        ['begin call', 't', { what: 'timer' }],
        ['end'],
      ],
    ],
    [
      'by a timer that comes although it was cancelled',
      'it is called, and was cancelled before',
      [timer, ['timer.cancel', 't'], ['begin call', 't', { what: 'timer', wait: 10 }], ['end']],
    ],
    [
      'by a timer that is cancelled after it came',
      'it is cancelled, and was called before',
      [timer, ['begin call', 't', { what: 'timer', wait: 10 }], ['end'], ['timer.cancel', 't']],
    ],
    [
      'by a timer that is moved after it was cancelled',
      'it is reset, and was cancelled before',
      [timer, ['timer.cancel', 't'], ['timer.reset', 't', { ms: 1 }]],
    ],
    [
      'by a timer that was never set',
      'a timer is called that was never set',
      [['begin call', 't', { what: 'timer' }], ['end']],
    ],
    [
      'by a hook in a busy process',
      'dataReceived was called while its process is busy',
      [...made, ['busy', 'p', { us: 5000, p: 'p' }], ['begin call', 'c', { what: 'dataReceived', wait: 4 }], ['end']],
    ],
    [
      'by frames that overlap',
      'a frame at 3, and the one before it ended at 4',
      [
        ['frame.in', 'layer', { off: 0, n: 4 }],
        ['frame.in', 'layer', { off: 3, n: 4 }],
      ],
    ],
    [
      'by a frame of bytes that nobody received',
      '4 bytes are in frames, and only 0 were received',
      [...made, arrived, ['frame.in', 'c', { off: 0, n: 4 }]],
    ],
  ])('%s', (_, what, steps) => {
    expect(complaintOf(...steps)).toBe(what)
  })

  it('by a number that is left out, by time that goes back, and by a span that is not the innermost', () => {
    const event = (seq: number, t: number, up = 0): TraceEvent => ({ seq, t, p: 'p1', k: 'mark', on: 'x1', up })
    expect(lintTrace([event(1, 0), event(3, 0)])).toEqual([
      { seq: 3, on: 'x1', what: 'its number is 3, and 2 would be the next' },
    ])
    expect(lintTrace([event(1, 5), event(2, 4)]).map(({ what }) => what)).toEqual([
      'it is at 4 µs, and one before it in p1 was at 5 µs',
    ])
    expect(lintTrace([event(1, 5), event(2, 5, 1)]).map(({ what }) => what)).toEqual([
      'it is inside of span 1, and the innermost one is 0',
    ])
  })

  it('by a span that closes around one that is open, which a recorder would close for it', () => {
    const linter = new TraceLinter({ now: () => 0 })
    const outer = linter.begin('call', {})
    linter.begin('call', {})
    linter.end(outer)
    expect(linter.complaint?.what).toBe('span 1 closed, and the innermost one that is open is 2')
  })
})

describe('subjects from before the record', () => {
  it('are held to nothing, unless the record is said to be whole', () => {
    const late: TraceEvent = { seq: 1, t: 0, p: 'p1', k: 'bytes.write', on: 'c1', up: 0, off: 7, n: 1 }
    expect(lintTrace([late])).toEqual([])
    expect(lintTrace([late], { whole: true })).toHaveLength(1)
  })
})
