/** DeferredQueue. */
import { describe, expect, it } from 'vitest'
import type { Deferred } from '../../src/framework/deferred/deferred.ts'
import { QueueOverflow, QueueUnderflow } from '../../src/framework/deferred/errors.ts'
import { DeferredQueue } from '../../src/framework/deferred/queue.ts'
import { succeed } from '../../src/framework/deferred/wrapping.ts'

describe('a DeferredQueue', () => {
  it('gives values in the order in which they were put', () => {
    const queue = new DeferredQueue<number>()
    const seen: number[] = []
    for (let i = 0; i < 1000; i++) queue.put(i)
    for (let i = 0; i < 1000; i++) queue.get().addCallback((n) => seen.push(n))
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(queue.length).toBe(0)
  })

  it('gives values to who waits, in the order of asking, inside put()', () => {
    const queue = new DeferredQueue<string>()
    const seen: string[] = []
    queue.get().addCallback((v) => seen.push(`first ${v}`))
    queue.get().addCallback((v) => seen.push(`second ${v}`))
    queue.put('a')
    expect(seen).toEqual(['first a'])
    queue.put('b')
    expect(seen).toEqual(['first a', 'second b'])
    expect(queue.waiting).toBe(0)
  })

  it('keeps putting and getting apart when they alternate', () => {
    const queue = new DeferredQueue<number>()
    const seen: number[] = []
    for (let i = 0; i < 100; i++) {
      queue.put(2 * i)
      queue.put(2 * i + 1)
      queue.get().addCallback((n) => seen.push(n))
    }
    while (queue.length > 0) queue.get().addCallback((n) => seen.push(n))
    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i))
  })

  it('throws at put when it is full, and loses nothing', () => {
    const queue = new DeferredQueue<string>({ size: 1 })
    queue.put('a')
    expect(() => queue.put('b')).toThrow(QueueOverflow)
    expect(queue.length).toBe(1)
  })

  it('of size 0 hands over to who waits, and keeps nothing', () => {
    const queue = new DeferredQueue<string>({ size: 0 })
    let seen: unknown
    queue.get().addCallback((v) => (seen = v))
    queue.put('a')
    expect(seen).toBe('a')
    expect(() => queue.put('b')).toThrow(QueueOverflow)
  })

  it('throws at get when too many wait already', () => {
    const queue = new DeferredQueue<string>({ backlog: 1 })
    queue.get()
    expect(() => queue.get()).toThrow(QueueUnderflow)
  })

  it('does not give to who cancelled', () => {
    const queue = new DeferredQueue<string>()
    const left = queue.get()
    left.addErrback(() => 'left')
    let seen: unknown
    queue.get().addCallback((v) => (seen = v))
    left.cancel()
    queue.put('a')
    expect(seen).toBe('a')
  })

  it('takes values only: a Deferred is refused at once, and who waits goes on waiting', () => {
    const queue = new DeferredQueue<Deferred<number>>()
    queue.get()
    expect(() => queue.put(succeed(1))).toThrow(TypeError)
    expect(queue.waiting).toBe(1)
  })
})
