/**
 * Tries the package as a stranger gets it: packs what `npm run build` made, installs the tarball into an empty folder
 * outside the repository, imports every front door and starts both command lines. The doors that need RxJS are tried
 * without it first, where they must say what is missing, and then with the oldest RxJS that will do, types included.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | object>>
}

/** The first version that the peer range allows. */
const oldestRxJS = '7.8.0'
/** As strict as users are. The declarations of the package are checked too. */
const strictly = '--strict --exactOptionalPropertyTypes --target es2023 --module nodenext'.split(' ')
/** A project for a page has to name these; one for Node has the types of Node, and needs no more. */
const forPage = '--types --lib es2023,dom,esnext.disposable'.split(' ')
/** What somebody writes who knows this one door. */
const consumer = `
import { fromDeferred, reactorScheduler, textLines, toDeferred } from 'couplet/rx'
import { map, of, timeout } from 'rxjs'

const clock = { now: () => 0, callLater: () => { throw new Error('nothing takes time here') } }
const source = of(new TextEncoder().encode('two\\nlines\\n')).pipe(textLines(), map((line): number => line.length))
const sum: PromiseLike<number> = toDeferred(source, { take: 'last' })
fromDeferred(toDeferred(source)).subscribe((length: number) => console.log(length))
void [sum, timeout({ each: 1, scheduler: reactorScheduler(clock) })]
`

/** And who writes a program for Node. */
const program = `
import { Factory, LineReceiver } from 'couplet'
import { react } from 'couplet/node'

class Echo extends LineReceiver {
  override lineReceived(line: Uint8Array) {
    this.sendLine(line)
  }
}

react(async (reactor) => {
  const port = await reactor.listenTCP(0, Factory.forProtocol(() => new Echo()), { interface: '127.0.0.1' })
  console.log('it listens')
  await port.stopListening()
})
`

const root = join(import.meta.dirname, '..')
const { name, version, bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const home = mkdtempSync(join(tmpdir(), 'couplet-'))

try {
  run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', home], root)
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}-${version}.tgz`])
  const doors = Object.entries(exports).flatMap(([door, target]) => (typeof target === 'string' ? [] : [door]))
  const needRxJS = doors.filter((door) => /\brx$/.test(door))
  for (const door of doors.filter((door) => !needRxJS.includes(door))) tryDoor(door)
  for (const door of needRxJS) {
    const { status, stderr } = spawnSync('node', importing(door), { cwd: home, encoding: 'utf8' })
    if (status === 0 || !/ERR_MODULE_NOT_FOUND[^]*'rxjs'|'rxjs'[^]*ERR_MODULE_NOT_FOUND/.test(stderr)) {
      throw new Error(`${door} without rxjs should say that rxjs is missing, but said:\n${stderr}`)
    }
    console.log(`${nameOf(door)} without rxjs: says so`)
  }
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `rxjs@${oldestRxJS}`])
  for (const door of needRxJS) tryDoor(door)
  writeFileSync(join(home, 'consumer.ts'), consumer)
  compile('consumer.ts', forPage)
  console.log(`a consumer of ${nameOf('./rx')} alone: types are right, and it prints ${run('node', ['consumer.js'])}`)
  writeFileSync(join(home, 'program.ts'), program)
  compile('program.ts', ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')])
  console.log(`a program for Node: types are right, and it says: ${run('node', ['program.js'])}`)
  for (const command of Object.keys(bin)) {
    console.log(`${command} --version: ${run(join(home, 'node_modules', '.bin', command), ['--version'])}`)
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}

function nameOf(door: string): string {
  return `${name}${door.slice(1)}`
}

function importing(door: string): string[] {
  const says = `import * as door from '${nameOf(door)}'; console.log(Object.keys(door).length)`
  return ['--input-type=module', '--eval', says]
}

function compile(file: string, options: readonly string[]): void {
  run('node', [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...strictly, ...options, file])
}

function tryDoor(door: string): void {
  console.log(`${nameOf(door)}: ${run('node', importing(door))} names`)
}

function run(command: string, args: string[], cwd = home): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
}
