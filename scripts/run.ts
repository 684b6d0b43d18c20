/**
 * Runs a program of a folder by its name: `npm run example -- echo 8000` runs examples/echo.ts with the argument 8000.
 * Without a name it lists what there is. The program runs in this process, so that signals and exit codes are its own.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder = 'examples', name, ...argv] = process.argv.slice(2)
const programs = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path.replaceAll('\\', '/').slice(0, -'.ts'.length), join(folder, path)]),
)
const path = programs.get(name ?? '')

if (path === undefined) {
  if (name !== undefined) console.error(`there is no ${folder}/${name}.ts; there are:`)
  const width = Math.max(0, ...[...programs.keys()].map((each) => each.length))
  for (const [each, file] of programs) console.error(`  ${each.padEnd(width)}  ${firstSentence(file)}`.trimEnd())
  process.exitCode = name === undefined ? 0 : 2
} else {
  // What the program sees is what it would see if it had been started by hand.
  process.argv.splice(1, process.argv.length - 1, resolve(path), ...argv)
  await import(pathToFileURL(path).href)
}

/** What a program says about itself: the first sentence of the comment on top of it, up to a colon. */
function firstSentence(file: string): string {
  const comment = readFileSync(file, 'utf8').match(/^\/\*\*([\s\S]*?)\*\//)?.[1] ?? ''
  const text = comment
    .replace(/^\s*\*? ?/gm, '')
    .replaceAll('\n', ' ')
    .trim()
  return (text.match(/^.*?[.:](?= |$)/)?.[0] ?? text).replace(/[.:]$/, '')
}
