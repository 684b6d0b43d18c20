/**
 * The long repeats: `npm run deep`, or `npm run deep -- 20 24` for some versions of Node only. On each version it runs
 * `npm test`, then the thousand-fold tests over sockets (files named test/node/NAME.deep.ts); on the Node at hand those
 * of the other rooms as well (a page in Chromium among them), it looks for what tests leave open, and it tries the mutants
 * (scripts/mutants.ts), whose table it prints. Ends with a table of its own.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { environment } from './with-node.ts'

interface Row {
  readonly node: string
  readonly what: string
  readonly ok: boolean
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
}

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26']
const folder = join(import.meta.dirname, '..', '.cache', 'deep')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

installChromium()
const rows: Row[] = []
for (const version of versions) {
  run(version, 'test', [])
  // What differs from version to version is sockets; the neutral rooms' millions run once, on the Node at hand.
  const everything = process.version.startsWith(`v${version}`)
  run(version, 'test', [...(everything ? [] : ['test/node']), '--mode', 'deep'])
}
run(process.version.slice(1), 'leaks', [], (output) => !/^\s*Leaks\s+\d/m.test(output))
const mutants = spawnSync('npm', ['run', '--silent', 'mutants'], { stdio: 'inherit' })

console.log(`\n${'Node'.padEnd(12)}${'suite'.padEnd(12)}${cells('passed', 'failed', 'skipped', 'time')}`)
for (const { node, what, ok, passed, failed, skipped, seconds } of rows) {
  const numbers = cells(passed, failed, skipped, `${seconds.toFixed(1)} s`)
  console.log(`${node.padEnd(12)}${what.padEnd(12)}${numbers}${ok ? '' : '   FAILED'}`)
}
process.exitCode = rows.every((row) => row.ok) && mutants.status === 0 ? 0 : 1

/** What a page needs. Where it may not be installed, that test is skipped, and says so. */
function installChromium(): void {
  const isThere = spawnSync('chromium', ['--version']).error === undefined
  if (isThere || process.getuid?.() !== 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update'], { env })
  spawnSync('apt-get', ['install', '--yes', '--no-install-recommends', 'chromium'], { env })
}

/** One suite on one version of Node; its output is shown only if something is wrong with it. */
function run(version: string, script: string, options: string[], fine: (output: string) => boolean = () => true): void {
  const what = options.at(-1) ?? script
  const env = { ...environment(version), NO_COLOR: '1' }
  const node = spawnSync('node', ['--version'], { encoding: 'utf8', env }).stdout.trim()
  const file = join(folder, `${node}-${what}.json`)
  const reports = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync('npm', ['run', script, '--', ...options, ...reports], {
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 28,
  })
  const seconds = (performance.now() - start) / 1000
  const ok = status === 0 && fine(stdout)
  if (!ok) console.log(stdout + stderr)
  rows.push({ node, what, ok, ...counts(file), seconds })
  console.log(`${node} ${what} … ${ok ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)`)
}

function counts(file: string): Pick<Row, 'passed' | 'failed' | 'skipped'> {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as Record<
      'numPassedTests' | 'numFailedTests' | 'numPendingTests',
      number
    >
    return { passed: report.numPassedTests, failed: report.numFailedTests, skipped: report.numPendingTests }
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

function cells(...values: (string | number)[]): string {
  return values.map((value) => String(value).padStart(10)).join('')
}
