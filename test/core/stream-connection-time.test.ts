/** How long connections wait, to the millisecond; only virtual time can say. */
import { type Connection, IPv4Address, LingerTimeout, StreamConnection } from 'couplet'
import { Sim } from 'couplet/sim'
import { ManualClock, pattern, type WitnessScript, Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

const megabyte = 1 << 20

/** Two ends, connected, in a world of their own. */
function connected(near: WitnessScript = {}, far: WitnessScript = {}, limits: { linger?: number } = {}) {
  const sim = new Sim()
  const [here, there] = [sim.host('here').reactor, sim.host('there').reactor]
  const lostAt = new Map<Witness, number>()
  const witness = (script: WitnessScript): Witness => {
    const lost: WitnessScript['lost'] = (self) => void lostAt.set(self, sim.now)
    return new Witness({ lost, ...script })
  }
  const ends = { near: witness(near), far: witness(far) }
  const deliver = (to: Witness) => (connection: Connection) => connection.deliverTo(to)
  there.listen(new IPv4Address('TCP', '0.0.0.0', 80), deliver(ends.far))
  sim.advance()
  here.dial(new IPv4Address('TCP', '10.0.0.2', 80), limits).addCallback(deliver(ends.near))
  sim.advance()
  return { sim, here, there, ...ends, lostAt: (end: Witness) => lostAt.get(end) }
}

const pauses: WitnessScript = { made: (self) => self.transport.pauseProducing() }

describe('after loseConnection', () => {
  it('a peer that takes nothing is cut off after 5,000 ms, with LingerTimeout as the cause', () => {
    const { sim, near, far, lostAt } = connected({}, pauses)
    sim.advance(100)
    near.transport.write(pattern(megabyte))
    near.transport.loseConnection()
    sim.advance(4999.999)
    expect(near.losses).toBe(0)
    const { queued } = near.transport
    sim.advance(0.001)
    expect(lostAt(near)).toBe(5100)
    expect(near.reason?.name).toBe('ConnectionLost')
    expect(near.reason?.cause).toBeInstanceOf(LingerTimeout)
    expect(near.reason?.message).toContain(`${queued} bytes were not delivered`)
    expect(far.reason?.name).toBe('ConnectionLost')
    expect(sim.pending).toBe(0)
  })

  it('a medium that knows more than all or nothing is asked whether the peer moves', () => {
    const reactor = new Sim().host('here').reactor
    const address = new IPv4Address('TCP', '10.0.0.1', 80)
    let left = 1000
    let reset = false
    class Tube extends StreamConnection {
      protected override startReading(): void {}
      protected override stopReading(): void {}
      protected override transmit(): boolean {
        return false
      }
      protected override stillInFlight(): number {
        return left
      }
      protected override finish(): void {}
      protected override close(): void {}
      protected override reset(): void {
        reset = true
      }
    }
    const clock = new ManualClock()
    reactor.callLater = (ms, f) => clock.callLater(ms, f)
    const near = new Witness()
    const tube = new Tube(reactor, address, address)
    tube.deliverTo(near)
    tube.write(pattern(1000))
    tube.loseConnection()
    for (; left > 900; left--) clock.advance(4999)
    expect(reset).toBe(false)
    clock.advance(10_000)
    expect(reset).toBe(true)
  })

  it('a reader that is slow but moves gets everything, however long it takes', () => {
    // 64 KiB every 4.9 s: the quarter of a megabyte that is in flight at once takes four times as long as the linger.
    const { sim, near, far, there } = connected(
      {},
      {
        data({ transport }) {
          transport.pauseProducing()
          there.callLater(4900, () => transport.resumeProducing())
        },
      },
    )
    near.transport.write(pattern(megabyte))
    near.transport.loseConnection()
    sim.advance(3_600_000)
    expect(far.size).toBe(megabyte)
    expect([near.reason?.name, far.reason?.name]).toEqual(['ConnectionDone', 'ConnectionDone'])
  })

  it('a peer that has everything and stays silent is waited for 5,000 ms, and that is a clean end', () => {
    const { sim, near, far, lostAt } = connected({}, { readLost: () => {} })
    near.transport.write('all there is')
    near.transport.loseConnection()
    sim.advance(4999.999)
    expect(near.losses).toBe(0)
    sim.advance(0.001)
    expect(lostAt(near)).toBe(5000)
    expect(near.reason?.name).toBe('ConnectionDone')
    expect(far.text).toBe('all there is')
    expect(far.losses).toBe(0)
    far.transport.write('is anybody there?')
    sim.advance()
    expect(far.reason?.name, 'a write to a closed socket is answered by a reset').toBe('ConnectionLost')
  })

  it('a peer that goes on talking is listened to for 1 MiB more', () => {
    const { sim, near, far, lostAt } = connected({}, { readLost: () => {} })
    near.transport.loseConnection()
    sim.advance(1000)
    far.transport.write(pattern(megabyte))
    sim.advance(1000)
    expect(near.losses).toBe(0)
    far.transport.write('a')
    sim.advance()
    expect(lostAt(near)).toBe(2000)
    expect(near.reason?.name).toBe('ConnectionDone')
    expect(near.size).toBe(0)
  })

  it('as long as linger says, if it says', () => {
    const { sim, near, lostAt } = connected({}, pauses, { linger: 70 })
    near.transport.write(pattern(megabyte))
    near.transport.loseConnection()
    sim.advance(5000)
    expect(lostAt(near)).toBe(70)
  })

  it('abortAfter ends it at that time, progress or not, with the cause that was given', () => {
    const { sim, near, far, lostAt } = connected({}, { readLost: () => {} })
    const cause = new Error('that was a bad frame')
    near.transport.loseConnection({ abortAfter: 1200, cause })
    sim.advance(1199)
    expect(near.losses).toBe(0)
    sim.advance(4000)
    expect(lostAt(near)).toBe(1200)
    expect(near.reason?.name).toBe('ConnectionAborted')
    expect(near.reason?.cause).toBe(cause)
    expect(far.reason?.name).toBe('ConnectionLost')
  })

  it('abortAfter costs nothing when the close is quicker', () => {
    const { sim, near, lostAt } = connected()
    near.transport.loseConnection({ abortAfter: 1200 })
    sim.advance()
    expect(lostAt(near)).toBe(0)
    expect(sim.pending, 'no timer is left').toBe(0)
    expect(near.reason?.name).toBe('ConnectionDone')
  })

  it('a registered producer has all the time it wants', () => {
    const { sim, near, far, lostAt } = connected()
    const producer = { pauseProducing() {}, resumeProducing() {}, stopProducing() {} }
    near.transport.registerProducer(producer, true)
    near.transport.loseConnection()
    sim.advance(3_600_000)
    near.transport.write('an hour later')
    near.transport.unregisterProducer()
    sim.advance(10_000)
    expect(far.text).toBe('an hour later')
    expect(lostAt(near)).toBe(3_600_000)
    expect(near.reason?.name).toBe('ConnectionDone')
  })
})

it('a producer that was promised the next turn is not resumed if others have filled the queue by then', () => {
  const { sim, here, near, far } = connected({}, pauses)
  const told: string[] = []
  near.transport.registerProducer(
    {
      pauseProducing: () => void told.push('pause'),
      resumeProducing: () => void told.push(`resume with ${near.transport.queued} waiting`),
      stopProducing() {},
    },
    true,
  )
  here.callLater(0, () => near.transport.write(pattern(300_000)))
  near.transport.write(pattern(70_000))
  sim.advance()
  expect(told).toEqual(['pause'])
  far.transport.resumeProducing()
  sim.advance()
  expect(told).toEqual(['pause', 'resume with 0 waiting'])
})

describe('a turn', () => {
  it('sends all that was written in it as one chunk, small pieces and large ones together', () => {
    const chunks: number[] = []
    const { sim, near } = connected({}, { data: (_self, chunk) => void chunks.push(chunk.length) })
    near.transport.write('a')
    near.transport.write(pattern(3000))
    near.transport.writeSequence(['b', 'c', pattern(2000)])
    sim.advance()
    expect(chunks).toEqual([5003])
  })

  it('ends when the outermost call into user code returns, so that an answer is one chunk too', () => {
    const chunks: number[] = []
    const answer: WitnessScript = {
      data(self) {
        for (let times = 0; times < 10; times++) self.transport.write('ten bytes!')
      },
    }
    const { sim, near } = connected({ data: (_self, chunk) => void chunks.push(chunk.length) }, answer)
    near.transport.write('x')
    sim.advance()
    expect(chunks).toEqual([100])
  })

  it('that writes and closes does both, and one that aborts sends nothing', () => {
    const closing = connected({ made: (self) => (self.transport.write('bye'), self.transport.loseConnection()) })
    const aborting = connected({ made: (self) => (self.transport.write('bye'), self.transport.abortConnection()) })
    closing.sim.advance()
    aborting.sim.advance()
    expect([closing.far.text, aborting.far.text]).toEqual(['bye', ''])
  })
})
