/** A world is the same on every version of Node, and in a browser: a hundred runs, event for event. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { bundle } from '../../scripts/bundle.ts'
import { environment } from '../../scripts/with-node.ts'

const program = 'test/sim/systems/hashes.program.ts'

function hashesOn(version: string): string[] {
  const args = ['-C', '@couplet/source', '--import', 'tsx', program]
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

/** A page that shows what its program prints. A program within a page may not say how a program ends. */
const page = (script: string): string => `<!doctype html>
<meta charset="utf-8">
<pre></pre>
<script type="module">
  const show = (line) => document.querySelector('pre').append(line, '\\n')
  console.log = show
  addEventListener('error', ({ message }) => show(message))
  addEventListener('unhandledrejection', ({ reason }) => show(String(reason)))
</script>
<script type="module">${script.replaceAll('</script', '<\\/script')}</script>`

/** What a page with this program shows in the end. */
function shownInChromium(script: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'couplet-page-'))
  try {
    const file = join(folder, 'page.html')
    writeFileSync(file, page(script))
    // Chromium's own time is virtual as well: it looks at the page when nothing is left to happen in it.
    const options = ['--headless', '--no-sandbox', `--user-data-dir=${folder}`, '--virtual-time-budget=60000']
    const args = [...options, '--dump-dom', pathToFileURL(file).href]
    const { stdout } = spawnSync('chromium', args, { encoding: 'utf8', maxBuffer: 1 << 26 })
    return (/<pre>(.*?)<\/pre>/s.exec(stdout)?.[1] ?? stdout).trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const noChromium = spawnSync('chromium', ['--version']).error !== undefined
if (noChromium) console.error('SKIPPED: no chromium here (apt-get install chromium)')

it.skipIf(noChromium)('and in Chromium, in a page without anything of Node', async () => {
  const script = await bundle(program)
  expect(script).not.toMatch(/^import |\brequire\(|\bimport\(/m)
  expect(shownInChromium(script)).toEqual(hashesOn(process.version.slice(1)))
})

it('a program that needs Node makes no such page', async () => {
  await expect(bundle('src/poetry/bin/get-poetry.ts')).rejects.toThrow(
    /imports node:\w+, and a neutral program must not/,
  )
})
