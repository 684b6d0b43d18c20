/**
 * All pages of docs/: each is in the index, each link leads somewhere, and whatever code they show has a test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from './page.ts'

const names = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
const texts = new Map(names.map((name) => [name, readFileSync(join(root, 'docs', name), 'utf8')]))
const tests = ['test/docs', 'test/rx', 'test/scale-out']
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)))
  .filter((path) => /\.(test|wire)\.ts$/.test(path))
  .map((path) => readFileSync(path, 'utf8'))

/** The links of a page, without those that lead out of the repository. */
function linksOf(text: string): readonly string[] {
  return [...text.replaceAll(/```[^]*?```/g, '').matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link)
}

/** What a heading is called in a link. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function anchorsIn(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))
}

describe('the index', () => {
  it('has every page', () => {
    const linked = linksOf(texts.get('README.md') ?? '')
    expect(linked.toSorted()).toEqual(names.filter((name) => name !== 'README.md').toSorted())
  })
})

describe.each(names)('%s', (name) => {
  const text = texts.get(name) ?? ''

  it.each(linksOf(text))('links to %s, which is there', (link) => {
    const [path = '', anchor] = link.split('#')
    expect(existsSync(join(root, 'docs', path))).toBe(true)
    if (anchor === undefined) return
    const target = path === '' ? text : readFileSync(join(root, 'docs', path), 'utf8')
    expect(anchorsIn(target)).toContain(anchor)
  })

  it('has a test, if it shows code', () => {
    if (!/^```ts$/m.test(text)) return
    const page = name.slice(0, -'.md'.length)
    expect(tests.some((test) => test.includes(page))).toBe(true)
  })
})
