/** Whatever is done to Deferreds, in any order, they do what the reference model does. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { RealWorld } from './real-world.ts'
import { ReferenceWorld } from './reference-model.ts'
import type { Behaviour, Op, World } from './world.ts'

const i = fc.nat(5)
const v = fc.nat(9)

const simple: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.record({ do: fc.constant('value' as const), v }),
  fc.record({ do: fc.constant('throw' as const), v }),
  fc.record({ do: fc.constant('failure' as const), v }),
  fc.record({ do: fc.constant('pass' as const) }),
  { arbitrary: fc.record({ do: fc.constant('wait' as const), on: i }), weight: 3 },
)

function ops(behaviour: fc.Arbitrary<Behaviour>): fc.Arbitrary<Op> {
  const perhaps = fc.option(behaviour, { nil: undefined, freq: 3 })
  const once = fc.oneof(
    fc.record({ op: fc.constant('add' as const), i, cb: perhaps, eb: perhaps }),
    fc.record({ op: fc.constantFrom('callback' as const, 'errback' as const), i, v }),
  )
  return fc.oneof(
    { arbitrary: once, weight: 6 },
    fc.record({
      op: fc.constant('new' as const),
      canceller: fc.constantFrom('none', 'idle', 'value', 'error', 'throw'),
    }),
    fc.record({ op: fc.constantFrom('cancel' as const, 'pause' as const, 'unpause' as const, 'look' as const), i }),
    fc.record({ op: fc.constant('timeout' as const), i, ms: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ op: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ op: fc.constant('turn' as const) }),
  )
}

/** Callbacks that act do so once: what they add or fire does not act again. */
const acting: fc.Arbitrary<Behaviour> = fc.oneof(
  { arbitrary: simple, weight: 4 },
  // A turn ends after the callbacks, never within one.
  fc.record({ do: fc.constant('act' as const), act: ops(simple).filter(({ op }) => op !== 'turn') }),
)

let done = 0

class Step implements fc.Command<World, World> {
  readonly #op: Op
  constructor(op: Op) {
    this.#op = op
  }
  check(): boolean {
    return true
  }
  run(model: World, real: World): void {
    done++
    model.do(this.#op)
    real.do(this.#op)
    const [expected, found] = [model, real].map((world) => `${world.log.splice(0).join('\n')}\n${world.describe()}`)
    if (found !== expected) expect(found).toBe(expected)
  }
  toString(): string {
    return JSON.stringify(this.#op)
  }
}

it('in 100,000 commands Deferreds and the reference model never differ', () => {
  const commands = fc.commands([ops(acting).map((op) => new Step(op))], { maxCommands: 200, size: 'max' })
  fc.assert(
    fc.property(commands, (steps) => {
      const real = new RealWorld()
      try {
        fc.modelRun(() => ({ model: new ReferenceWorld(), real }), steps)
      } finally {
        real.close()
      }
    }),
    { numRuns: 1200, endOnFailure: false },
  )
  expect(done).toBeGreaterThanOrEqual(100_000)
})
