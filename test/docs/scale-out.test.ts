/** docs/scale-out.md: its code is the server's, and its recipes are files that are there; test/examples runs them. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const folder = new URL('../../docs/', import.meta.url)
const page = readFileSync(new URL('scale-out.md', folder), 'utf8')
const found = (pattern: RegExp): string[] => [...page.matchAll(pattern)].map(([, text = '']) => text)

describe('docs/scale-out.md', () => {
  it('shows the server as it is', () => {
    const [block = '', ...more] = found(/^```ts\n([^]*?)^```/gm)
    expect(more).toEqual([])
    expect(readFileSync(new URL('../examples/scale-out/server.ts', folder), 'utf8').endsWith(block)).toBe(true)
  })

  const recipes = found(/^npm run example -- (\S+)/gm)
  const links = found(/\]\(([^)]+)\)/g)

  it('has recipes and links', () => {
    expect([recipes.length, links.length > 5]).toEqual([5, true])
  })

  it.each(recipes)('runs what is there: %s', (name) => {
    expect(existsSync(new URL(`../examples/${name}.ts`, folder))).toBe(true)
  })

  it.each(links)('leads to what is there: %s', (link) => {
    expect(existsSync(new URL(link, folder))).toBe(true)
  })
})
