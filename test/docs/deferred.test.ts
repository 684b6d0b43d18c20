/** docs/deferred-for-promise-people.md: each of its blocks is a file here, runs, and prints what it says. */
import { readdirSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'

const page = readFileSync(new URL('../../docs/deferred-for-promise-people.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/(?:<!-- (\S+\.ts) -->\n\n)?```ts\n([^]*?)```/g)].map(([, name, text]) => ({
  name,
  text,
}))
const run: Record<string, () => Promise<unknown>> = {
  'same.ts': () => import('./deferred/same.ts'),
  'synchronous.ts': () => import('./deferred/synchronous.ts'),
  'one-chain.ts': () => import('./deferred/one-chain.ts'),
  'look.ts': () => import('./deferred/look.ts'),
  'fork.ts': () => import('./deferred/fork.ts'),
  'cancel.ts': () => import('./deferred/cancel.ts'),
  'signal.ts': () => import('./deferred/signal.ts'),
  'timeout.ts': () => import('./deferred/timeout.ts'),
  'generator.ts': () => import('./deferred/generator.ts'),
  'unhandled.ts': () => import('./deferred/unhandled.ts'),
}
const folder = new URL('./deferred/', import.meta.url)

describe('Deferred for people who know Promise', () => {
  it('has a block for each file, and a file for each block', () => {
    expect(blocks.map(({ name }) => name).toSorted()).toEqual(readdirSync(folder).toSorted())
  })

  it.each(blocks)('$name is the file, and prints what it says', async ({ name, text = '' }) => {
    expect(text).toBe(readFileSync(new URL(String(name), folder), 'utf8'))
    const printed: string[] = []
    const spy = vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => {
      printed.push(words.map((word) => (typeof word === 'string' ? word : inspect(word))).join(' '))
    })
    await run[String(name)]?.()
    // A promise's last words come after the file's own.
    await new Promise((resolve) => setImmediate(resolve))
    spy.mockRestore()
    const promised = [...text.matchAll(/\/\/ → (.*)/g)].map(([, words]) => words)
    expect(promised.length).toBeGreaterThan(0)
    expect(printed).toEqual(promised)
  })
})
