/**
 * Runs a command on another version of Node: `tsx scripts/with-node.ts 24 npm test`. The version comes from the npm
 * package `node` and is kept in .cache/, so it is fetched once.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')

/**
 * The environment in which `node` is that version.
 *
 * @param version a major version, or an exact one; the one that is running costs nothing
 * @throws if the version cannot be had
 */
export function environment(version: string): NodeJS.ProcessEnv {
  const { PATH = '' } = process.env
  return { ...process.env, PATH: [folderOf(version), PATH].join(delimiter) }
}

function folderOf(version: string): string {
  if (isVersion(process.version, version)) return join(process.execPath, '..')
  const home = join(root, '.cache', `node-${version}`)
  const folder = join(home, 'node_modules', 'node', 'bin')
  if (!isVersion(versionIn(folder), version)) {
    rmSync(home, { recursive: true, force: true })
    mkdirSync(home, { recursive: true })
    // The package's own install script picks the binary for this machine; npm has to be told that it may.
    const manifest = { private: true, dependencies: { node: version }, allowScripts: { node: true } }
    writeFileSync(join(home, 'package.json'), JSON.stringify(manifest))
    const install = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error', '--prefix', home]
    const { status, stdout, stderr } = spawnSync('npm', install, { encoding: 'utf8', env: bare(), cwd: home })
    if (status !== 0 || !isVersion(versionIn(folder), version)) {
      throw new Error(`Node ${version} could not be installed into ${home}:\n${stdout}${stderr}`)
    }
  }
  return folder
}

/** What `npm run` tells its children about this package is wrong for an npm that works elsewhere. */
function bare(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)_/.test(name)))
}

function versionIn(folder: string): string {
  const node = join(folder, 'node')
  return existsSync(node) ? spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim() : ''
}

function isVersion(found: string, wanted: string): boolean {
  return found === `v${wanted}` || found.startsWith(`v${wanted}.`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [version, command, ...args] = process.argv.slice(2)
  if (version === undefined || command === undefined) {
    console.error('usage: with-node VERSION COMMAND [ARGUMENT…]')
    process.exit(2)
  }
  const { status, signal } = spawnSync(command, args, { stdio: 'inherit', env: environment(version) })
  process.exitCode = signal === null ? (status ?? 1) : 1
}
