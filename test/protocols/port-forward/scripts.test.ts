/** Random conversations over random networks: both sides hear what was said, all of it, and then the end. */
import * as fc from 'fast-check'
import { ConnectionDone, ConnectionLost } from 'couplet'
import { pattern, isPattern, type Witness } from 'couplet/testing'
import { expect, it } from 'vitest'
import { ForwarderInSim, keepsHalf } from './forwarder-in-sim.ts'

/** What one side does, in this order. */
type Act =
  | { readonly kind: 'say'; readonly bytes: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'deaf'; readonly ms: number }

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant('say' as const), bytes: fc.oneof(fc.nat(100), fc.integer({ min: 1, max: 200_000 })) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(200) }),
  fc.record({ kind: fc.constant('deaf' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
)
const script = fc.array(act, { maxLength: 8 })

const link = fc.record({
  latency: fc.nat(100),
  jitter: fc.nat(20),
  segmentSize: fc.constantFrom(100, 1460, 65_536),
  sendBuffer: fc.constantFrom(4096, 65_536, 1 << 20),
  receiveBuffer: fc.constantFrom(4096, 65_536, 1 << 20),
  delivery: fc.constantFrom('as sent' as const, 'random' as const, 'joined' as const),
})

/** Runs a script at one end. It says no more while its own queue is long, as one does who minds the memory. */
function plays(world: ForwarderInSim, self: Witness, acts: readonly Act[], end: () => void): () => number {
  let said = 0
  const next = (index: number): void => {
    const todo = acts[index]
    if (self.transport.disconnected) return
    if (self.transport.queued > 65_536) world.sim.after(10, () => next(index))
    else if (todo === undefined) end()
    else if (todo.kind === 'wait') world.sim.after(todo.ms, () => next(index + 1))
    else if (todo.kind === 'deaf') {
      self.transport.pauseProducing()
      world.sim.after(todo.ms, () => self.transport.resumeProducing())
      next(index + 1)
    } else {
      self.transport.write(pattern(todo.bytes, said))
      said += todo.bytes
      world.sim.after(1, () => next(index + 1))
    }
  }
  world.sim.after(0, () => next(0))
  return () => said
}

it('says everything to both sides, each end of input after all that came before it', () => {
  fc.assert(
    fc.property(fc.integer(), script, script, link, link, (seed, ofNear, ofFar, first, second) => {
      const world = new ForwarderInSim({ seed, ties: 'shuffled' }).forward().serve()
      world.sim.link('client', 'forwarder').set(first)
      world.sim.link('forwarder', 'server').set(second)
      const near = world.connect(keepsHalf, 1000)
      // The client begins at once; its server may still be far away.
      const saidByNear = plays(world, near, ofNear, () => near.transport.loseWriteConnection())
      world.sim.advance(1000)
      const far = world.served[0]!
      const saidByFar = plays(world, far, ofFar, () => far.transport.loseWriteConnection())
      world.sim.advance(600_000)
      expect([near.complaints, far.complaints]).toEqual([[], []])
      expect([far.size, near.size]).toEqual([saidByNear(), saidByFar()])
      expect([isPattern(far.bytes), isPattern(near.bytes)]).toEqual([true, true])
      expect([near.reason, far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
      world.isOver()
    }),
    { numRuns: 150 },
  )
})

it('when one side resets in the middle, the other hears a beginning of what was said, and never a clean end', () => {
  fc.assert(
    fc.property(fc.integer(), script, script, link, fc.nat(3000), fc.boolean(), (seed, a, b, slow, when, who) => {
      const world = new ForwarderInSim({ seed, ties: 'shuffled' }).forward().serve()
      world.sim.link('forwarder', 'server').set(slow)
      const near = world.connect()
      world.sim.advance(1000)
      const far = world.served[0]!
      // Neither of them ever says that it was all: what ends it is the reset.
      const said = [plays(world, near, a, () => undefined), plays(world, far, b, () => undefined)]
      const [resets, other] = who ? [near, far] : [far, near]
      world.sim.after(when, () => resets.transport.abortConnection())
      world.sim.advance(600_000)
      expect([near.complaints, far.complaints]).toEqual([[], []])
      expect(other.reason).toBeInstanceOf(ConnectionLost)
      expect(other.calls).not.toContain('readLost')
      expect([isPattern(far.bytes), isPattern(near.bytes)]).toEqual([true, true])
      expect(far.size).toBeLessThanOrEqual(said[0]!())
      expect(near.size).toBeLessThanOrEqual(said[1]!())
      world.isOver()
    }),
    { numRuns: 150 },
  )
})
