/**
 * The plan of the house, and the proof that the house is built to it. The table is the paragraph of the design: read
 * it as "this room may import those". To add a room, add its line; to open a door, say why in the commit.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { inspect, type Plan, type Source } from './architecture/inspect.ts'

/** Every room may import trace besides. */
const plan = plans(`
  trace       nothing
  deferred    nothing
  core        deferred
  tasks       core deferred
  framing     core deferred
  policies    core deferred
  endpoints   core deferred tasks policies
  services    core deferred tasks endpoints
  protocols   core deferred tasks framing policies endpoints

  rx          core deferred tasks framing endpoints rxjs
  testing     core deferred tasks framing
  sim         core deferred tasks framing
  node        core deferred tasks node:*

  framework   core deferred tasks framing policies endpoints services protocols

  poetry      couplet couplet/rx rxjs
  poetry/bin  couplet couplet/node poetry node:*
`)

/** Rooms that have a line above and are not built yet. This list only gets shorter. */
const notYetBuilt: readonly string[] = []

/** The rooms that know Node; every other one is neutral. */
const nodeRooms = Object.keys(plan.doors).filter((room) => plan.doors[room]?.includes('node:*'))

const root = join(import.meta.dirname, '..')
const house = sourcesIn('src').filter(({ path }) => path !== 'src/runtime.d.ts')

describe('the house', () => {
  it('is built to the plan', () => {
    expect(inspect(house, plan)).toEqual([])
  })

  it('has the rooms of the plan and no others', () => {
    const planned = Object.keys(plan.doors).filter((room) => room.startsWith('framework/'))
    const built = new Set(house.map(({ path }) => path.match(/^src\/(framework\/[^/]+)\//)?.[1]))
    built.delete(undefined)
    expect([...built].sort()).toEqual(planned.filter((room) => !notYetBuilt.includes(room)).sort())
  })

  it('knows Node in two rooms only', () => {
    expect(nodeRooms).toEqual(['framework/node', 'poetry/bin'])
  })

  it('knows RxJS in one room, and in the one file of the example that is about it', () => {
    const knowing = house.filter(({ text }) => /from '(rxjs|couplet\/rx)'/.test(text)).map(({ path }) => path)
    expect(knowing).toContain('src/poetry/rx.ts')
    expect(knowing.filter((path) => !path.startsWith('src/framework/rx/'))).toEqual(['src/poetry/rx.ts'])
  })

  it('has every neutral file, and no other, compiled where Node does not exist', () => {
    const config = ts.readConfigFile(join(root, 'tsconfig.neutral.json'), (path) => readFileSync(path, 'utf8'))
    const { fileNames, options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    const neutral = house.filter(({ path }) => !nodeRooms.some((room) => path.startsWith(`src/${room}/`)))
    expect(fileNames.sort()).toEqual([...neutral.map(({ path }) => path), 'src/runtime.d.ts'].map(absolute).sort())
    expect(options.types).toEqual([])
  })
})

describe('the package', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { '@couplet/source': string; types: string; default: string }>
  }

  it('has front doors that lead somewhere, built or from source', () => {
    const doors = Object.values(exports).filter((door) => typeof door !== 'string')
    for (const door of doors) {
      expect(existsSync(join(root, door['@couplet/source'])), door['@couplet/source']).toBe(true)
      const built = door['@couplet/source'].replace('./src/', './dist/')
      expect([door.types, door.default]).toEqual([built.replace(/ts$/, 'd.ts'), built.replace(/ts$/, 'js')])
      expect(Object.keys(door)).toEqual(['@couplet/source', 'types', 'default'])
    }
    expect(doors.map((door) => door['@couplet/source'].slice(2)).sort()).toEqual([...plan.frontDoors].sort())
  })

  it.each([
    'couplet/framework',
    'couplet/framework/core/address.js',
    'couplet/core',
    'couplet/src/framework/index.ts',
    'couplet/dist/framework/index.js',
  ])('cannot be entered through %s', (path) => {
    expect(() => createRequire(import.meta.url).resolve(path)).toThrow(
      expect.objectContaining({ code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }),
    )
  })
})

describe('the inspector', () => {
  const said = '/** What it is for. */\n'

  it.each<[complaint: string, path: string, text: string]>([
    ['framework/core has no door to framework/tasks', 'src/framework/core/a.ts', `import { t } from '../tasks/t.ts'`],
    ['framework/core has no door to framework/tasks', 'src/framework/core/a.ts', `export * from '../tasks/t.ts'`],
    [
      'framework/core has no door to framework/tasks',
      'src/framework/core/a.ts',
      `import type { T } from '../tasks/t.ts'`,
    ],
    ['framework/core has no door to framework/tasks', 'src/framework/core/a.ts', `let t: import('../tasks/t.ts').T`],
    ['framework/core has no door to framework/tasks', 'src/framework/core/a.ts', `await import('../tasks/t.ts')`],
    ['framework/core has no door to node:net', 'src/framework/core/a.ts', `import { connect } from 'node:net'`],
    ['framework/core has no door to net', 'src/framework/core/a.ts', `import { connect } from 'net'`],
    ['framework/core has no door to net', 'src/framework/core/a.ts', `const { connect } = require('net')`],
    ['framework/core has no door to couplet', 'src/framework/core/a.ts', `import { Deferred } from 'couplet'`],
    ['framework/core has no door to rxjs', 'src/framework/core/a.ts', `import { Observable } from 'rxjs'`],
    ['framework/core has no door to framework/node', 'src/framework/core/a.ts', `import '../node/index.ts'`],
    ['framework/sim has no door to framework/node', 'src/framework/sim/a.ts', `import '../node/index.ts'`],
    ['framework/tasks has no door to framework/testing', 'src/framework/tasks/t.ts', `import '../testing/index.ts'`],
    ['framework has no door to framework/node', 'src/framework/index.ts', `export * from './node/index.ts'`],
    ['poetry has no door to framework', 'src/poetry/a.ts', `import { Deferred } from '../framework/index.ts'`],
    ['poetry has no door to couplet/node', 'src/poetry/a.ts', `import { react } from 'couplet/node'`],
    ['poetry has no door to node:fs', 'src/poetry/a.ts', `import { readFile } from 'node:fs'`],
    ['poetry/bin has no door to couplet/sim', 'src/poetry/bin/a.ts', `import { sim } from 'couplet/sim'`],
    ['poetry has no door to poetry/bin', 'src/poetry/a.ts', `import { main } from './bin/main.ts'`],
    ['./b is not a file of the house', 'src/framework/core/a.ts', `import { b } from './b'`],
    ['an import that nobody can read off the page', 'src/framework/core/a.ts', 'await import(`./${name}.ts`)'],
    ['not a front door', 'src/framework/core/index.ts', ''],
    ['not a room of the plan: framework/helpers', 'src/framework/helpers/a.ts', ''],
    ['not a room of the plan: src', 'src/a.ts', ''],
  ])('says: %s (%s: %s)', (complaint, path, text) => {
    const others = ['tasks/t.ts', 'node/index.ts', 'testing/index.ts', 'index.ts'].map(
      (name) => `src/framework/${name}`,
    )
    const rest = [...others, 'src/poetry/bin/main.ts'].filter((each) => each !== path)
    const complaints = inspect([...rest.map((each) => ({ path: each, text: said })), { path, text: said + text }], plan)
    expect(complaints).toEqual([expect.stringContaining(complaint)])
    expect(complaints[0]).toContain(path)
  })

  it('says when a file does not say what it is for', () => {
    const text = `import type { A } from './a.ts'\n`
    const complaints = inspect([file('core/a', said), file('core/b', text)], plan)
    expect(complaints).toEqual([expect.stringMatching(/core\/b.ts: does not open with a comment/)])
  })

  it('accepts a line for the shell before that comment', () => {
    expect(inspect([file('core/a', `#!/usr/bin/env node\n${said}`)], plan)).toEqual([])
  })

  it('says when files go round in a circle', () => {
    const complaints = inspect(
      [
        file('core/a', `${said}import { b } from './b.ts'`),
        file('core/b', `${said}export { c } from './c.ts'`),
        file('core/c', `${said}const a = await import('./a.ts')`),
      ],
      plan,
    )
    expect(complaints).toEqual([
      'the files go round in a circle: src/framework/core/a.ts → src/framework/core/b.ts → src/framework/core/c.ts → src/framework/core/a.ts',
    ])
  })

  it('lets two files of a room know the types of each other', () => {
    const there = file('core/a', `${said}import { b } from './b.ts'`)
    const back = file('core/b', `${said}import type { A } from './a.ts'`)
    expect(inspect([there, back], plan)).toEqual([])
  })

  it('says when the plan itself goes round in a circle', () => {
    const doors = { ...plan.doors, 'framework/trace': ['framework/core'] }
    expect(inspect([], { ...plan, doors })).toContain(
      'the rooms go round in a circle: framework/trace → framework/core → framework/trace',
    )
  })
})

function file(name: string, text: string): Source {
  return { path: `src/framework/${name}.ts`, text }
}

/** The plan that a table says: in each line a room, then what it may import. */
function plans(table: string): Plan {
  const rows = table.split('\n').map((line) => line.split(/\s+/).filter(Boolean))
  const named = rows.flatMap(([room]) => room ?? []).filter((room) => !/^(framework|poetry.*)$/.test(room))
  const inFull = (name: string) => (named.includes(name) ? `framework/${name}` : name)
  const doors = rows.flatMap(([room, ...others]) =>
    room === undefined ? [] : ([[inFull(room), others.map(inFull)]] as const),
  )
  return {
    doors: Object.fromEntries(
      doors.map(([room, others]) => {
        if (others[0] === 'nothing') others.shift()
        if (room.startsWith('framework') && room !== 'framework/trace') others.push('framework/trace')
        return [room, others]
      }),
    ),
    frontDoors: [
      'framework/index.ts',
      'framework/node/index.ts',
      'framework/rx/index.ts',
      'framework/sim/index.ts',
      'framework/testing/index.ts',
      'poetry/index.ts',
      'poetry/rx.ts',
    ].map((path) => `src/${path}`),
  }
}

function sourcesIn(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(root.length + 1).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }))
}

function absolute(path: string): string {
  return join(root, path).replaceAll('\\', '/')
}
