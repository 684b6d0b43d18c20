/** A turn gathers what is written in it. */
import { Turn } from 'couplet'
import { describe, expect, it } from 'vitest'

/** A turn whose end, and whose successor, the test decides. */
function turns() {
  const ends: (() => void)[] = []
  const nexts: (() => void)[] = []
  const turn = new Turn({ atEndOfTurn: (f) => void ends.push(f), inNextTurn: (f) => void nexts.push(f) })
  const run = (list: (() => void)[]): void => {
    for (const f of list.splice(0)) f()
  }
  return { turn, ends, nexts, end: () => run(ends), next: () => run(nexts) }
}

describe('a turn', () => {
  it('flushes what was touched when the outermost call returns', () => {
    const { turn, ends } = turns()
    const flushed: string[] = []
    turn.enter()
    turn.touch({ flush: () => void flushed.push('one') })
    turn.enter()
    turn.touch({ flush: () => void flushed.push('two') })
    turn.leave()
    expect(flushed).toEqual([])
    turn.leave()
    expect(flushed).toEqual(['one', 'two'])
    expect(ends).toHaveLength(0)
  })

  it('flushes what a flush touches, in the same turn', () => {
    const { turn } = turns()
    const flushed: string[] = []
    const second = { flush: () => void flushed.push('second') }
    const first = {
      flush() {
        flushed.push('first')
        turn.enter()
        turn.touch(second)
        turn.leave()
      },
    }
    turn.enter()
    turn.touch(first)
    turn.leave()
    expect(flushed).toEqual(['first', 'second'])
  })

  it('waits for the end of the current one outside of any call, and asks for it once', () => {
    const { turn, ends, end } = turns()
    const flushed: string[] = []
    turn.touch({ flush: () => void flushed.push('one') })
    turn.touch({ flush: () => void flushed.push('two') })
    expect(ends).toHaveLength(1)
    expect(flushed).toEqual([])
    end()
    expect(flushed).toEqual(['one', 'two'])
    turn.touch({ flush: () => void flushed.push('three') })
    end()
    expect(flushed).toEqual(['one', 'two', 'three'])
  })

  it('calls what was asked for soon in the next turn, and what that asks for in the one after', () => {
    const { turn, nexts, next } = turns()
    const called: string[] = []
    turn.soon(() => {
      called.push('a')
      turn.soon(() => void called.push('c'))
    })
    turn.soon(() => void called.push('b'))
    expect([called.length, nexts.length]).toEqual([0, 1])
    next()
    expect(called).toEqual(['a', 'b'])
    next()
    expect(called).toEqual(['a', 'b', 'c'])
    expect(nexts).toHaveLength(0)
  })

  it('sends together what was written by all that was asked for soon', () => {
    const { turn, next } = turns()
    const flushed: string[] = []
    const order: string[] = []
    for (const name of ['a', 'b']) {
      turn.soon(() => {
        order.push(name)
        turn.touch({ flush: () => void flushed.push(`${name} after ${order.join()}`) })
      })
    }
    next()
    expect(flushed).toEqual(['a after a,b', 'b after a,b'])
  })

  it('lends the same memory again once nobody holds it', () => {
    const { turn } = turns()
    const first = turn.scratch(100)
    first.holders = 2
    first.used = 32_000
    const second = turn.scratch(1000)
    expect(second).not.toBe(first)
    turn.release(first)
    turn.release(first)
    expect(first.used).toBe(0)
    second.holders = 1
    second.used = 32_768
    expect(turn.scratch(1)).toBe(first)
  })
})
