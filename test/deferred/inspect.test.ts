/** What console.log and messages say about a Deferred. */
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

takeReports()

const pending = (): Deferred<number> => {
  const d = new Deferred<number>()
  d.addCallback((n) => n).addCallback((n) => n)
  return d
}
const paused = (): Deferred<number> => {
  const d = succeed(42)
  d.pause()
  d.addCallback((n) => n)
  return d
}
const waiting = (): Deferred<unknown> => succeed(1).addCallback(() => new Deferred<number>())

describe('console.log(deferred)', () => {
  it.each<[string, () => Deferred<unknown>]>([
    ['Deferred { pending }', () => new Deferred<number>()],
    ['Deferred { pending, 2 callbacks }', pending],
    ['Deferred { 42 }', () => succeed(42)],
    ["Deferred { { poem: 'Sonnet' } }", () => succeed({ poem: 'Sonnet' })],
    ['Deferred { failed: Error: boom }', () => fail(new Error('boom'))],
    ['Deferred { failed: nothing to read }', () => fail('nothing to read')],
    ['Deferred { 42, paused, 1 callback }', paused],
    ['Deferred { waiting for Deferred { pending, 1 callback } }', waiting],
  ])('shows %s', (text, make) => {
    expect(inspect(make())).toBe(text)
  })

  it('goes as deep as it is asked to, and no deeper', () => {
    let d: Deferred<unknown> = new Deferred<number>()
    for (let i = 0; i < 100; i++) {
      const inner = d
      d = succeed(i).addCallback(() => inner)
    }
    expect(inspect(d, { depth: 1 })).toBe(
      'Deferred { waiting for Deferred { waiting for Deferred { … }, 1 callback } }',
    )
  })
})

describe('String(deferred)', () => {
  it('is one line, with values kept short', () => {
    expect(String(succeed('poem'))).toBe('Deferred { "poem" }')
    expect(String(succeed({ a: 1 }))).toBe('Deferred { Object }')
    expect(String(succeed('x'.repeat(1000)))).toHaveLength('Deferred {  }'.length + 80)
    expect(String(succeed(undefined))).toBe('Deferred { undefined }')
  })

  it('never throws, whatever the value does', () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('no')
        },
        has: () => false,
        getPrototypeOf: () => null,
      },
    )
    expect(String(succeed(hostile))).toBe('Deferred { object }')
  })

  it('is named after a subclass', () => {
    class Poem extends Deferred<string> {}
    expect(String(new Poem())).toBe('Poem { pending }')
  })
})
