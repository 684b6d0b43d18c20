/** The list of mutants is true: each of them still applies. Whether they are found, `npm run mutants` says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mutated } from './mutant.ts'
import { mutants } from './mutants.ts'

const sources = join(import.meta.dirname, '..', '..', '..', 'src')

it.each(mutants)('there is still a place for the mutant in which $breaks', (mutant) => {
  const text = readFileSync(join(sources, mutant.file), 'utf8')
  expect(mutated(text, mutant)).not.toBe(text)
})

it('there are as many as were promised, and each breaks something else', () => {
  expect(new Set(mutants.map(({ breaks }) => breaks)).size).toBe(mutants.length)
  expect(mutants.length).toBeGreaterThanOrEqual(80)
})
