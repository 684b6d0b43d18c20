/** A world is the same on every version of Node: a hundred runs, event for event. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { environment } from '../../scripts/with-node.ts'

const script = join(import.meta.dirname, 'systems', 'hashes.program.ts')

function hashesOn(version: string): string[] {
  const args = ['-C', '@couplet/source', '--import', 'tsx', script]
  const { stdout, stderr, status } = spawnSync('node', args, { encoding: 'utf8', env: environment(version) })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.trim().split('\n')
}

it('the same hundred worlds are the same on Node 20, 22, 24 and 26', () => {
  const [first, ...others] = ['20', '22', '24', '26'].map(hashesOn)
  expect(first).toHaveLength(100)
  expect(new Set(first?.map((line) => line.split(' ')[2])).size).toBeGreaterThan(95)
  for (const other of others) expect(other).toEqual(first)
})
