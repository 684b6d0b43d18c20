/**
 * What the pages of docs/ have in common: each block of code is a file beside its test, runs, and prints what it says.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'

export const root = join(import.meta.dirname, '../..')

/** A page of docs/, by its name without `.md`. */
export function pageNamed(name: string): string {
  return readFileSync(join(root, 'docs', `${name}.md`), 'utf8')
}

/** The rows of the page's tables whose header begins with `first`, without header; the cells trimmed. */
export function tableOf(page: string, first: string): readonly (readonly string[])[] {
  const tables = page.matchAll(/^\|(.*)\|\n\|[ |:-]+\|\n((?:\|.*\|\n)+)/gm)
  return [...tables].flatMap(([, header = '', rows = '']) =>
    header.trim().startsWith(first) ? rows.trimEnd().split('\n').map(cellsOf) : [],
  )
}

function cellsOf(row: string): readonly string[] {
  return row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/**
 * Defines the tests of a page whose blocks are files of `folder`: the name of the file stands in a comment above each.
 *
 * @param load imports one of them, anew
 */
export function itsBlocksRun(page: string, folder: string, load: (name: string) => Promise<unknown>): void {
  const blocks = [...page.matchAll(/(?:<!-- (\S+)\.ts -->\n\n)?```ts\n([^]*?)```/g)].map(
    ([, name = '', text = '']) => ({
      name,
      text,
    }),
  )

  describe('its blocks of code', () => {
    it('are the files of its folder', () => {
      expect(blocks.map(({ name }) => `${name}.ts`).toSorted()).toEqual(readdirSync(folder).toSorted())
      expect(page).toContain('// → ')
    })

    it.each(blocks)('$name is the file, and prints what it says', async ({ name, text }) => {
      expect(text).toBe(readFileSync(join(folder, `${name}.ts`), 'utf8'))
      const printed: string[] = []
      const spy = vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => {
        printed.push(words.map((word) => (typeof word === 'string' ? word : inspect(word))).join(' '))
      })
      await load(name)
      // A promise's last words come after the file's own.
      await new Promise((resolve) => setImmediate(resolve))
      spy.mockRestore()
      const promised = [...text.matchAll(/\/\/ → (.*)/g)].map(([, words]) => words)
      expect(printed).toEqual(promised)
    })
  })
}
