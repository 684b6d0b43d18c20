/**
 * docs/semantics.md: what it shows is run, and each default in its table of limits is the one in the source.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connectionsFor } from '../../src/framework/node/descriptor-limit.ts'
import { itsBlocksRun, pageNamed, root, tableOf } from './page.ts'

const page = pageNamed('semantics')
const limits = tableOf(page, 'limit').map(([limit = '', value = '', , , where = '']) => {
  const [, path = '', name = ''] = /\]\(\.\.\/(.*)\) `(.*)`/.exec(where) ?? []
  return { limit, value, path, name }
})

const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 * 1024, bytes: 1, ms: 1, s: 1000 }

describe('the table of limits', () => {
  it('has many', () => {
    expect(limits.length).toBeGreaterThan(20)
  })

  it.each(limits)('is right about $limit: $value', ({ value, path, name }) => {
    const source = readFileSync(join(root, path), 'utf8')
    // A field, a constant, a parameter's default, or a getter that looks whether there is an option.
    const found = new RegExp(
      String.raw`\b${name}(?: =|:|: number =|\(\): number \{\n.*\?\?|.*\b${name} \?\?) ([\d_]+(?: \* [\d_]+)*)`,
    ).exec(source)
    const product = (found?.[1] ?? '').split(' * ').reduce((all, one) => all * Number(one.replaceAll('_', '')), 1)
    const [number = '', unit = 'bytes'] = value.split(' ')
    expect(product).toBe(Number(number.replaceAll(',', '')) * (units[unit] ?? NaN))
  })

  it('is right about descriptors', () => {
    expect([connectionsFor(1024), connectionsFor(256), connectionsFor(200)]).toEqual([896, 128, 100])
  })
})

itsBlocksRun(page, join(import.meta.dirname, 'semantics'), (name) => import(`./semantics/${name}.ts`))
