import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

/** The files of RxJS that a fresh Node has loaded after it came in by the door. */
function rxjsLoadedBy(door: string): string[] {
  const says = `
    import { createRequire } from 'node:module'
    await import('${door}')
    const loaded = Object.keys(createRequire(import.meta.url).cache)
    console.log(JSON.stringify(loaded.filter((path) => /[\\\\/]rxjs[\\\\/]/.test(path))))`
  const argv = ['-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', says]
  return JSON.parse(execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' })) as string[]
}

it.each(['couplet', 'couplet/node', 'couplet/sim', 'couplet/testing', 'couplet/poetry'])(
  '%s does without RxJS',
  (door) => {
    expect(rxjsLoadedBy(door)).toEqual([])
  },
)

it('couplet/rx is what loads it', () => {
  expect(rxjsLoadedBy('couplet/rx').length).toBeGreaterThan(0)
})
