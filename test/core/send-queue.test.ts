/** A send queue against the plainest model of one: a list of bytes. */
import * as fc from 'fast-check'
import { join, toBytes, toText } from 'couplet'
import { describe, expect, it } from 'vitest'
import { SendQueue } from '../../src/framework/core/send-queue.ts'
import { type Scratch, Turn } from '../../src/framework/core/turn.ts'

/** A Turn that remembers the scratches it gave out. */
class WatchedTurn extends Turn {
  readonly given = new Set<Scratch>()

  constructor() {
    super({ atEndOfTurn() {}, inNextTurn() {} })
  }

  override scratch(length: number): Scratch {
    const scratch = super.scratch(length)
    this.given.add(scratch)
    return scratch
  }

  /** How often its scratches are held. */
  get holders(): number {
    return [...this.given].reduce((sum, { holders }) => sum + holders, 0)
  }
}

type Step =
  | { readonly do: 'add'; readonly queue: number; readonly data: Uint8Array | string }
  | { readonly do: 'take'; readonly queue: number; readonly most: number }
  | { readonly do: 'taken' | 'park' | 'clear'; readonly queue: number }
  /** Nothing can leave: all park, and the memory that they share is free again. */
  | { readonly do: 'endOfTurn'; readonly queue: number }

const queues = 3
const queue = fc.nat(queues - 1)
const size = fc.oneof(
  { weight: 4, arbitrary: fc.nat(9) },
  { weight: 4, arbitrary: fc.nat(300) },
  { weight: 4, arbitrary: fc.integer({ min: 2040, max: 2056 }) },
  fc.integer({ min: 30_000, max: 40_000 }),
)
const bytes = fc
  .tuple(size, fc.nat(255))
  .map(([length, first]) => new Uint8Array(length).fill(first).map((value, at) => value + at * 7))
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }), fc.nat(1500)).map(([one, n]) => one.repeat(n)),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('add' as const), queue, data: fc.oneof(bytes, text) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), queue, most: size.map((most) => most + 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('taken' as const), queue }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('park' as const), queue }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), queue }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('endOfTurn' as const), queue }) },
)

/** A queue, what should be in it, and what it gave out and the kernel has not taken. */
class Checked {
  readonly queue: SendQueue
  #model: Uint8Array = new Uint8Array()
  #inFlight: readonly Uint8Array[] | undefined
  #expected: Uint8Array = new Uint8Array()

  constructor(turn: Turn) {
    this.queue = new SendQueue(turn)
  }

  do(next: Step): void {
    if (next.do === 'add') this.#add(next.data)
    else if (next.do === 'take') this.#take(next.most)
    else if (next.do === 'taken') this.#taken()
    else if (next.do === 'park' || next.do === 'endOfTurn') this.queue.park()
    else this.#clear()
    this.check()
  }

  /** What is in flight is untouched, whatever happens to others. */
  check(): void {
    expect(this.queue.size).toBe(this.#model.length)
    if (this.#inFlight !== undefined) expect(Buffer.compare(join(this.#inFlight), this.#expected)).toBe(0)
  }

  #add(data: Uint8Array | string): void {
    expect(this.queue.add(data)).toBe(toBytes(data).length)
    this.#model = join([this.#model, toBytes(data)])
  }

  #take(most: number): void {
    // A connection has one thing in flight at a time.
    if (this.#inFlight !== undefined) return
    this.#inFlight = this.queue.take(most)
    this.#expected = this.#model.slice(0, most)
    this.#model = this.#model.slice(most)
    for (const piece of this.#inFlight) expect(piece.length).toBeGreaterThan(0)
  }

  #taken(): void {
    this.check()
    this.#inFlight = undefined
    this.queue.taken()
  }

  #clear(): void {
    this.#inFlight = undefined
    this.#model = new Uint8Array()
    this.queue.clear()
  }

  finish(): void {
    this.#taken()
    this.#take(Infinity)
    this.#taken()
    expect(this.queue.size).toBe(0)
  }
}

describe('a send queue', () => {
  it('gives back what was put in, in order and untouched, while others use the same memory', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const turn = new WatchedTurn()
        const all = Array.from({ length: queues }, () => new Checked(turn))
        for (const next of steps) {
          for (const each of next.do === 'endOfTurn' ? all : [all[next.queue]!]) each.do(next)
          for (const other of all) other.check()
        }
        for (const each of all) each.finish()
        expect(turn.holders).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  it('joins small pieces into one, and keeps large ones as they are', () => {
    const sending = new SendQueue(new WatchedTurn())
    const large = new Uint8Array(2049)
    for (const data of ['a', 'b', new Uint8Array([1, 2]), large, 'c']) sending.add(data)
    const pieces = sending.take(Infinity)
    expect(pieces.map((piece) => piece.length)).toEqual([4, 2049, 1])
    expect(pieces[1]).toBe(large)
  })

  it('gives the shared memory back when it has to wait', () => {
    const turn = new WatchedTurn()
    const sending = new SendQueue(turn)
    for (let turns = 0; turns < 1000; turns++) {
      sending.add('a line or so that nobody takes')
      sending.park()
      expect(turn.holders).toBe(0)
    }
    expect(turn.given.size).toBe(1)
    expect(sending.take(Infinity).length, 'small pieces are waiting in blocks, not one by one').toBeLessThan(10)
  })

  it('keeps many small pieces that wait, as one large one, apart from what others write', () => {
    const turn = new WatchedTurn()
    const [sending, other] = [new SendQueue(turn), new SendQueue(turn)]
    sending.add('a'.repeat(600))
    for (let times = 0; times < 4; times++) sending.add('b'.repeat(600))
    sending.park()
    other.add('OTHER')
    expect(toText(join(sending.take(Infinity)))).toBe('a'.repeat(600) + 'b'.repeat(2400))
  })

  it('keeps what came after a part was taken apart from what others write', () => {
    const turn = new WatchedTurn()
    const [sending, other] = [new SendQueue(turn), new SendQueue(turn)]
    for (const letter of ['a', 'b', 'c']) sending.add(new Uint8Array(3000).fill(letter.charCodeAt(0)))
    sending.park()
    sending.take(6000)
    sending.taken()
    sending.add('small')
    sending.park()
    other.add('OTHER')
    expect(toText(join(sending.take(Infinity)))).toBe(`${'c'.repeat(3000)}small`)
  })

  it('holds no memory for a connection that has nothing to send', () => {
    const turn = new WatchedTurn()
    const sending = new SendQueue(turn)
    sending.add('x')
    sending.take(Infinity)
    expect(turn.holders).toBe(1)
    sending.taken()
    expect(turn.holders).toBe(0)
    expect([...turn.given].map(({ used }) => used)).toEqual([0])
  })

  it('drops everything at once', () => {
    const turn = new WatchedTurn()
    const sending = new SendQueue(turn)
    sending.add('x')
    sending.take(Infinity)
    sending.add('y'.repeat(5000))
    sending.add('z')
    sending.clear()
    expect([sending.size, turn.holders]).toEqual([0, 0])
  })
})
