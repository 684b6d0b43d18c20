/** What every program of the ladder promises to its reader, whatever it is about. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Started } from '../poetry/programs.ts'

const root = join(import.meta.dirname, '../..')
const text = (path: string) => readFileSync(join(root, path), 'utf8')
const programs = readdirSync(join(root, 'examples/ladder')).sort()
const page = text('docs/ladder.md')

describe.each(programs)('ladder/%s', (file) => {
  const source = text(`examples/ladder/${file}`)
  const [header = ''] = source.match(/^\/\*\*[\s\S]*?\*\//) ?? []

  it('has sixty lines at most', () => {
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(60)
  })

  it('says what to look at, and what to try', () => {
    expect(header).toMatch(/Look (at|for) /)
    expect(header).toMatch(/Try: /)
  })

  it('comes in by the front doors', () => {
    const imported = [...source.matchAll(/from '([^']+)'/g)].map(([, from = '']) => from)
    const doors = /^(couplet(\/node|\/rx|\/poetry|\/poetry\/rx)?|rxjs|node:(net|events|util)|\.\/00-poets\.ts)$/
    expect(imported.filter((from) => !doors.test(from))).toEqual([])
    expect(imported.length).toBeGreaterThan(1)
  })

  it('is played by a test', () => {
    expect(text('test/examples/ladder.test.ts')).toContain(`from '../../examples/ladder/${file}'`)
  })
})

describe('docs/ladder.md', () => {
  it('has a row for each program, in their order', () => {
    const rows = [...page.matchAll(/^\| \[([\w-]+)\]\(\.\.\/examples\/ladder\/([\w-]+\.ts)\)/gm)]
    expect(rows.map(([, , file]) => file)).toEqual(programs)
    for (const [, name, file] of rows) expect(`${name}.ts`).toBe(file)
  })

  it.each([...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path))('links to %s', (path) => {
    expect(existsSync(join(root, 'docs', path))).toBe(true)
  })
})

describe('npm run example', () => {
  const started = new Started()
  afterEach(() => started.end())
  const run = ['-C', '@couplet/source', '--import', 'tsx', 'scripts/run.ts', 'examples']

  it('lists the ladder in its order, with a sentence each', async () => {
    const { stderr } = await started.program(process.execPath, ...run).ended
    const listed = [...stderr.matchAll(/^ {2}ladder\/([\w-]+) +(\S.{20,})$/gm)]
    expect(listed.map(([, name]) => `${name}.ts`)).toEqual(programs)
  })

  it('runs a program that ends by itself', async () => {
    const program = started.program(process.execPath, ...run, 'ladder/08-deferred', '0.001')
    const { code, stdout, stderr } = await program.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/all have ended\n$/)
  })

  it('runs a program that ends by Ctrl-C, in good order', async () => {
    const program = started.program(process.execPath, ...run, 'ladder/18-services', '0.001')
    await program.prints(/^door: open/)
    program.child.kill('SIGINT')
    const { code, stdout, stderr } = await program.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/door: is closed\nlibrary: is closed\n$/)
  })
})
