/** docs/rooms.md: its doors are those of the architecture test, and it has a paragraph for each room. */
import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pageNamed, root } from './page.ts'

const page = pageNamed('rooms')
const [, plan = ''] = /plans\(`\n([^`]*)`\)/.exec(readFileSync(join(root, 'test/architecture.test.ts'), 'utf8')) ?? []
const lines = plan
  .trim()
  .split('\n')
  .map((line) => line.trim())
const rooms = lines.flatMap((line) => /^\S+/.exec(line)?.[0] ?? [])
const paragraphs = [...page.matchAll(/^### (\S+)\n\n([^]*?)(?=\n#)/gm)].map(([, room = '', text = '']) => ({
  room,
  text,
}))

function folderOf(room: string): string {
  if (room === 'framework' || room.startsWith('poetry')) return `src/${room}`
  return `src/framework/${room}`
}

describe('the rooms', () => {
  it('have the doors that the architecture test knows', () => {
    const [, told = ''] = /```text\n([^`]*)```/.exec(page) ?? []
    expect(rooms.length).toBeGreaterThan(12)
    expect(told.trim()).toBe(lines.join('\n'))
  })

  it('have a paragraph each, in the same order', () => {
    expect(paragraphs.map(({ room }) => room)).toEqual(rooms)
  })

  it.each(paragraphs)('say where to begin in $room: with a file of the room', ({ room, text }) => {
    const [, shown = '', path = ''] = /Begin with \[(\S+)\]\((\S+)\)/.exec(text) ?? []
    expect(posix.normalize(posix.join('docs', path))).toBe(`${folderOf(room)}/${shown}`)
    expect(existsSync(join(root, 'docs', path))).toBe(true)
  })
})
