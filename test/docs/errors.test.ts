/**
 * docs/errors.md: it names every error that a front door exports, with its code, and no other.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as couplet from 'couplet'
import * as node from 'couplet/node'
import * as poetry from 'couplet/poetry'
import * as poetryRx from 'couplet/poetry/rx'
import * as rx from 'couplet/rx'
import * as sim from 'couplet/sim'
import * as testing from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { itsBlocksRun, pageNamed, root, tableOf } from './page.ts'

const page = pageNamed('errors')
const named = tableOf(page, 'class').map(([name = '', code = '', means = '']) => ({
  name: name.replaceAll('`', ''),
  code: code.replaceAll('`', ''),
  means,
}))

const doors = [couplet, couplet.amp, node, rx, testing, sim, poetry, poetryRx]
const exported = doors.flatMap((door) =>
  Object.entries(door as Record<string, unknown>)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Error)
    .map(([name]) => name),
)

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.includes('bin'))
  .map((path) => readFileSync(join(root, 'src', path), 'utf8'))

/** The codes of classes, by their names, as the sources say them. */
const codes = new Map(
  sources.flatMap((text) =>
    [...text.matchAll(/^export (?:abstract )?class (\w+) extends [^]*?^}/gm)].map(
      ([text, name = '']) => [name, /^ +(?:override )?readonly code(?:: string)? = '(\w+)'$/m.exec(text)?.[1]] as const,
    ),
  ),
)

describe('the errors', () => {
  it('are all there, and no other', () => {
    expect(exported.length).toBeGreaterThan(70)
    expect(named.map(({ name }) => name).toSorted()).toEqual(exported.toSorted())
  })

  it.each(named.filter(({ name }) => name !== 'TLSError'))('$name has the code $code, and a meaning', (each) => {
    expect(codes.get(each.name)).toBe(each.code)
    expect(each.means).not.toBe('')
  })

  it('of TLS have the codes that the sources give them', () => {
    const given = sources.flatMap((text) => [...text.matchAll(/'(ERR_TLS_(?!CERT_)\w+)'/g)].map(([, code]) => code))
    const told = tableOf(page, 'code').map(([code = '']) => code.replaceAll('`', ''))
    expect(told.toSorted()).toEqual([...new Set(given)].toSorted())
  })
})

itsBlocksRun(page, join(import.meta.dirname, 'errors'), (name) => import(`./errors/${name}.ts`))
