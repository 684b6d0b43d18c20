/**
 * What the README shows is what runs: each block of TypeScript in it stands, line by line, in a file of the repository.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

describe('the README', () => {
  const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path)
  const sources = links.filter((path) => path.endsWith('.ts')).map((path) => readFileSync(join(root, path), 'utf8'))

  it('has blocks of code, and links', () => {
    expect(blocks.length).toBeGreaterThan(2)
    expect(links.length).toBeGreaterThan(20)
  })

  it.each(blocks)('shows code that stands in a file that it links to: %#', (block) => {
    expect(sources.some((source) => source.includes(block))).toBe(true)
  })

  it.each(links)('links to %s, which is there', (path) => {
    expect(existsSync(join(root, path))).toBe(true)
  })

  it.each([...readme.matchAll(/npm (?:run )?([\w-]+)/g)].map(([, script = '']) => script))(
    'names %s, which npm knows',
    (script) => {
      const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
      expect(['ci', 'install', 'pack'].includes(script) || script in scripts).toBe(true)
    },
  )
})
