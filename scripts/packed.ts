/**
 * Tries the package as a stranger gets it: packs what `npm run build` made, installs the tarball into an empty folder
 * outside the repository, imports every front door and starts both command lines.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | object>>
}

const root = join(import.meta.dirname, '..')
const { name, version, bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const home = mkdtempSync(join(tmpdir(), 'couplet-'))

try {
  run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', home], root)
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}-${version}.tgz`])
  for (const [door, target] of Object.entries(exports)) {
    if (typeof target === 'string') continue
    const says = `import * as door from '${name}${door.slice(1)}'; console.log(Object.keys(door).length)`
    console.log(`${name}${door.slice(1)}: ${run('node', ['--input-type=module', '--eval', says])} names`)
  }
  for (const command of Object.keys(bin)) {
    console.log(`${command} --version: ${run(join(home, 'node_modules', '.bin', command), ['--version'])}`)
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}

function run(command: string, args: string[], cwd = home): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
}
