import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const page = readFileSync(join(root, 'docs', 'deferred-to-observable.md'), 'utf8')
/** Each program of the page, with its heading and what it is said to print. */
const programs = [
  ...page.matchAll(/^## ([^\n]+)\n(?:(?!^## )[^])*?^```ts\n([^]*?)^```\n\n^```text\n([^]*?)^```/gm),
].map(([, heading = '', program = '', prints = '']) => ({ heading, program, prints }))

// Inside of the package, so that its own name leads to its sources.
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'docs-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('has as many programs as code blocks', () => {
  expect(programs.length).toBeGreaterThan(3)
  expect(programs.length).toBe(page.match(/^```ts$/gm)?.length)
})

it.concurrent.each(programs)('“$heading” prints what the page says', async ({ heading, program, prints }) => {
  const file = join(folder, `${heading.replaceAll(/\W+/g, '-')}.ts`)
  writeFileSync(file, program)
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['-C', '@couplet/source', '--import', 'tsx', file],
    { cwd: root },
  )
  expect([stdout, stderr]).toEqual([prints, ''])
})
