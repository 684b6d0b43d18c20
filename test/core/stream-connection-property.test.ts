/** Whatever two protocols do to their connection, and whenever: the promises hold, and the trace tells the truth. */
import * as fc from 'fast-check'
import { type Connection, IPv4Address, type PushProducer, Recorder, setTracer, type TraceEvent } from 'couplet'
import { Sim } from 'couplet/sim'
import { isPattern, pattern, type WitnessScript, Witness } from 'couplet/testing'
import { expect, it } from 'vitest'

/** One thing that one end does. */
interface Step {
  readonly end: 'near' | 'far'
  readonly act: Act
  readonly size: number
  /** Milliseconds after the step before. */
  readonly wait: number
  /** In the next call of dataReceived, instead of now. */
  readonly inside: boolean
}

const acts = [
  'write',
  'write',
  'write',
  'pause',
  'resume',
  'register',
  'unregister',
  'loseWrite',
  'lose',
  'abort',
] as const
type Act = (typeof acts)[number]

const step: fc.Arbitrary<Step> = fc.record({
  end: fc.constantFrom('near', 'far'),
  act: fc.constantFrom(...acts),
  size: fc.oneof(fc.nat(20), fc.integer({ min: 2040, max: 2060 }), fc.nat(150_000)),
  wait: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(50), fc.integer({ min: 4990, max: 5010 })),
  inside: fc.boolean(),
})

const world = fc.record({
  latency: fc.constantFrom(0, 0, 3, 40),
  sendBuffer: fc.constantFrom(65_536, 1000),
  receiveBuffer: fc.constantFrom(65_536, 1777),
})

class Side {
  readonly witness: Witness
  readonly later: Step[] = []
  written = 0
  /** What the producer was told, `|` for each registration. */
  readonly told: string[] = []
  readonly producer: PushProducer = {
    pauseProducing: () => void this.told.push('pause'),
    resumeProducing: () => {
      this.told.push(this.witness.transport.queued === 0 ? 'resume' : 'resume too early')
      // So much that it is paused again at once, while others may have been promised the same turn.
      if (this.told.length < 20) this.do('write', 70_000)
    },
    stopProducing: () => void this.told.push('stop'),
  }

  constructor(halfCloses: boolean) {
    const script: WitnessScript = {
      data: () => {
        const steps = this.later.splice(0, 1)
        for (const { act, size } of steps) this.do(act, size)
      },
    }
    this.witness = new Witness(halfCloses ? { ...script, readLost: () => {} } : script)
  }

  do(act: Act, size: number): void {
    const { transport } = this.witness
    if (act === 'write') {
      transport.write(pattern(size, this.written))
      this.written += size
    } else if (act === 'pause') transport.pauseProducing()
    else if (act === 'resume') transport.resumeProducing()
    else if (act === 'lose') transport.loseConnection()
    else if (act === 'loseWrite') transport.loseWriteConnection()
    else if (act === 'abort') transport.abortConnection()
    else if (act === 'unregister') transport.unregisterProducer()
    else this.#register()
  }

  #register(): void {
    this.witness.transport.unregisterProducer()
    this.told.push('|')
    this.witness.transport.registerProducer(this.producer, true)
  }
}

function play(sim: Sim, steps: readonly Step[], halfCloses: { near: boolean; far: boolean }) {
  const [here, there] = [sim.host('here').reactor, sim.host('there').reactor]
  const sides = { near: new Side(halfCloses.near), far: new Side(halfCloses.far) }
  const deliver = (side: Side) => (connection: Connection) => connection.deliverTo(side.witness)
  const listening = there.listen(new IPv4Address('TCP', '0.0.0.0', 80), deliver(sides.far))
  sim.advance()
  here.dial(new IPv4Address('TCP', '10.0.0.2', 80)).addCallback(deliver(sides.near))
  sim.advance(200)
  for (const next of steps) {
    sim.advance(next.wait)
    const side = sides[next.end]
    if (next.inside) side.later.push(next)
    else side.do(next.act, next.size)
  }
  for (const { witness } of [sides.near, sides.far]) {
    witness.transport.unregisterProducer()
    witness.transport.resumeProducing()
    witness.transport.loseConnection()
  }
  listening.addCallback((port) => port.stopListening())
  sim.advance(600_000)
  return sides
}

it('one connectionMade, one connectionLost, and a prefix of the bytes: all of them, if both ends are clean', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), world, fc.boolean(), fc.boolean(), (steps, options, near, far) => {
      const sim = new Sim({ ...options, maxEventsAtOnce: 1_000_000 })
      const recorder = new Recorder({ now: () => sim.now, detail: 1 })
      const restore = setTracer(recorder)
      try {
        const sides = play(sim, steps, { near, far })
        const id = (side: Side): string => recorder.id(side.witness.transport)
        expect(sim.pending, 'nothing is left').toBe(0)
        for (const [from, to] of [
          [sides.near, sides.far],
          [sides.far, sides.near],
        ] as const) {
          livesOnce(to.witness)
          alternates(to.told)
          const stream = follow(recorder.events, id(from), id(to))
          expect(stream.received).toBe(to.witness.size)
          expect(isPattern(to.witness.bytes)).toBe(true)
          const clean = [from, to].every(({ witness }) => witness.reason?.name === 'ConnectionDone')
          // Who closed before the end came has chosen not to hear it.
          if (clean && to.witness.calls.includes('inputEnded')) expect(to.witness.size).toBe(stream.written)
          staysInside(recorder.events, id(to))
        }
      } finally {
        restore()
      }
    }),
    { numRuns: 300 },
  )
})

/** made, then anything, then lost, once; and inputEnded and readLost once at most, in this order. */
function livesOnce({ calls, reason }: Witness): void {
  expect(calls.join(' ')).toMatch(/^made( data)?( inputEnded( readLost)?)? lost$/)
  expect(['ConnectionDone', 'ConnectionLost', 'ConnectionAborted']).toContain(reason?.name)
}

function alternates(told: readonly string[]): void {
  expect(told.join(' ')).toMatch(/^((\||pause|resume|stop) ?)*$/)
  for (const registration of told.join(' ').split('|').slice(1)) {
    expect(registration.trim()).toMatch(/^(pause resume ?)*(pause ?)?(stop)?$/)
  }
}

/** One direction of a connection, as the trace tells it. */
function follow(events: readonly TraceEvent[], from: string, to: string): { written: number; received: number } {
  const total = { write: 0, sent: 0, arrive: 0, recv: 0 }
  const bySeq = new Map(events.map((event) => [event.seq, event]))
  for (const event of events) {
    const [family, kind] = event.k.split('.') as ['bytes', keyof typeof total]
    if (family !== 'bytes' || event.on !== (kind === 'write' || kind === 'sent' ? from : to)) continue
    const { off, n } = event as unknown as { off: number; n: number }
    expect(off, `${event.k} is contiguous`).toBe(total[kind])
    total[kind] += n
    expect(total.write).toBeGreaterThanOrEqual(total.sent)
    expect(total.sent).toBeGreaterThanOrEqual(total.arrive)
    expect(total.arrive).toBeGreaterThanOrEqual(total.recv)
    if (kind === 'write' || kind === 'sent') continue
    const cause = bySeq.get(event.by ?? 0) as (TraceEvent & { off: number; n: number }) | undefined
    expect(cause?.k).toBe(kind === 'arrive' ? 'bytes.sent' : 'bytes.arrive')
    expect(cause?.on).toBe(kind === 'arrive' ? from : to)
    expect(cause !== undefined && cause.off <= off && off + n <= cause.off + cause.n).toBe(true)
  }
  return { written: total.write, received: total.recv }
}

/** Nothing happens on a connection before it is made or after it is lost, but the call that says so. */
function staysInside(events: readonly TraceEvent[], id: string): void {
  const own = events.filter(({ on, k }) => on === id && k !== 'end' && k !== 'conn.open')
  expect(own[0]?.k).toBe('conn.made')
  const after = own.slice(own.findIndex(({ k }) => k === 'conn.lost') + 1)
  expect(after[0]).toMatchObject({ k: 'call', what: 'connectionLost' })
  // A producer that comes too late is told so.
  for (const event of after.slice(1)) expect(event).toMatchObject({ k: 'call', what: 'stopProducing' })
}
