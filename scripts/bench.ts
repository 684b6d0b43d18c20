/**
 * Runs a benchmark by its name: `npm run bench -- echo 12 bulk`. Without a name it lists what there is.
 *
 * What is measured is what users get: the built package, and benchmarks compiled as it is. (To run the sources directly
 * names each function anew wherever it is made, which costs the servers that others write most.)
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const compiled = join(root, '.cache', 'bench', 'bench')
const [name, ...argv] = process.argv.slice(2)

function run(command: string, ...args: readonly string[]): number {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error !== undefined) throw error
  return status ?? 1
}

function compile(): number {
  const status = run('npm', 'run', '--silent', 'build') || run('npx', 'tsc', '-p', 'tsconfig.bench.json')
  const work = join('bench', 'work')
  mkdirSync(join(compiled, 'work'), { recursive: true })
  for (const file of readdirSync(join(root, work)).filter((each) => each.endsWith('.py'))) {
    copyFileSync(join(root, work, file), join(compiled, 'work', file))
  }
  return status
}

const known = readdirSync(join(root, 'bench')).includes(`${name}.ts`)
process.exitCode = known
  ? compile() || run(process.execPath, '--expose-gc', join(compiled, `${name}.js`), ...argv)
  : run(process.execPath, '--import', 'tsx', join('scripts', 'run.ts'), 'bench', ...(name === undefined ? [] : [name]))
