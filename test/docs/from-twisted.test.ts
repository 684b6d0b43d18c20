/** docs/from-twisted.md and docs/from-krondo.md: what they say is ours can be found in the sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { pageNamed, root, tableOf } from './page.ts'

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readFileSync(join(root, 'src', path), 'utf8'))
const words = new Set(sources.flatMap((text) => text.match(/[A-Za-z_]\w+/g) ?? []))

/** What the rows call a thing of ours: words in code that are called, made, or stand alone. */
const ours = tableOf(pageNamed('from-twisted'), 'Twisted').flatMap(([theirs = '', text = '']) =>
  [...text.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) =>
    [...code.matchAll(/(?<![\w'/:])([A-Za-z_]\w+)(?=\(|$)/g)].map(([, name = '']) => ({ theirs, name })),
  ),
)

/** Of the reader's own, in an example. */
const readers = new Set(['Echo', 'P', 'x', 'f'])

it('names many things of ours', () => {
  expect(ours.length).toBeGreaterThan(60)
})

it.each(ours.filter(({ name }) => !readers.has(name)))('$theirs: $name is a word of the sources', ({ name }) => {
  expect(words).toContain(name)
})

it('goes through all parts of krondo that have programs', () => {
  const parts = tableOf(pageNamed('from-krondo'), 'part').flatMap(([part = '']) => part.match(/\d+/g) ?? [])
  expect(parts.map(Number)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1))
})
