/**
 * Is the simulated world any good? `npm run mutants` puts one defect after another into the framework, and looks whether
 * the world finds it, and with how many seeds; `npm run mutants -- WORD…` tries those whose sentence or file has one of
 * the words in it. The sources stay as they are: a defect only exists in a bundle, which runs in a process of its own, and
 * as many of them run at once as there are cores. Each has its line as soon as it is known, so a run that was cut short
 * has said something. `SIM_SEEDS=100` for less, `WHY=1` for what was found.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'
import type { Catch } from '../test/sim/mutants/hunt.program.ts'
import { mutated, type Mutant } from '../test/sim/mutants/mutant.ts'
import { mutants as all } from '../test/sim/mutants/mutants.ts'
import { bundle } from './bundle.ts'

/** A defect that no test finds with so many seeds is not found. */
const seeds = Number(process.env['SIM_SEEDS'] ?? 2000)
/** Of a hundred defects so many have to be found. */
const enough = 95
/** Milliseconds that a defect may take. What does not end is not found, either. */
const mostTime = 600_000

const hunt = 'test/sim/mutants/hunt.program.ts'
const folder = join(import.meta.dirname, '..', '.cache', 'mutants')

/** Ends what runs. */
const cut = new AbortController()

/** How it went: caught; or it survived, ran on and on, or could not even be loaded, none of which counts. */
type Fate = { readonly is: 'caught'; readonly by: Catch } | { readonly is: 'survived' | 'hung' | 'broken' }

/** @param name of the file that its bundle is written to */
async function tryOut(mutant: Mutant | undefined, name: string): Promise<Fate> {
  let applied = mutant === undefined
  const code = await bundle(hunt, (path, text) => {
    if (mutant === undefined || path !== `src/${mutant.file}`) return text
    applied = true
    return mutated(text, mutant)
  })
  if (!applied) throw new Error(`${mutant?.file} is not part of what is tried`)
  const file = join(folder, name)
  writeFileSync(file, code)
  const { signal } = cut
  const options = { timeout: mutant === undefined ? 0 : mostTime, killSignal: 'SIGKILL', signal } as const
  return new Promise((resolve) => {
    execFile(process.execPath, [file, String(seeds)], options, (error, stdout, stderr) => {
      if (error === null && stdout === '') resolve({ is: 'survived' })
      else if (error === null) resolve({ is: 'caught', by: JSON.parse(stdout) as Catch })
      else if (error.killed === true) resolve({ is: 'hung' })
      else {
        console.error(stderr)
        resolve({ is: 'broken' })
      }
    })
  })
}

const row = (...[what, where, by, seed, time]: string[]): string =>
  `${what!.padEnd(78)} ${where!.padEnd(24)} ${by!.padEnd(14)} ${seed!.padStart(5)} ${time!.padStart(9)}`

const words = process.argv.slice(2)
const wanted = ({ breaks, file }: Mutant): boolean => words.some((word) => `${file}: ${breaks}`.includes(word))
const mutants = words.length === 0 ? all : all.filter(wanted)
// First of all: whatever finds something where nothing is wrong finds nothing.
const queue = (words.length === 0 ? [undefined, ...mutants] : mutants).entries()
const found: Catch[] = []
let tried = 0
let wrong = 0

async function tryOneAfterAnother(): Promise<void> {
  for (const [index, mutant] of queue) {
    const start = performance.now()
    const fate = await tryOut(mutant, `${index}.mjs`).catch((error: unknown) => {
      console.error(String(error).split('\n', 3).join(' '))
      return { is: 'broken' } as const
    })
    tellOf(mutant, fate, performance.now() - start)
  }
}

function tellOf(mutant: Mutant | undefined, fate: Fate, ms: number): void {
  const [by, seed] = fate.is === 'caught' ? [fate.by.by, String(fate.by.seed)] : [fate.is, '']
  const fine = mutant === undefined ? fate.is === 'survived' : fate.is === 'caught'
  const where = mutant?.file.replace(/^.*\//, '') ?? ''
  const line = row(mutant?.breaks ?? '(nothing)', where, by, seed, `${ms.toFixed(0)} ms`)
  console.log(fine ? line : styleText('red', line))
  if (fate.is === 'caught' && (mutant === undefined || process.env['WHY'] !== undefined))
    console.log(`    ${fate.by.why.split('\n')[0]}`)
  if (mutant !== undefined) tried++
  if (mutant !== undefined && fate.is === 'caught') found.push(fate.by)
  if (fate.is === 'broken' || (mutant === undefined && !fine)) wrong++
}

function sum(): void {
  const inOrder = found.map(({ seed }) => seed).sort((one, other) => one - other)
  const percent = (100 * found.length) / tried
  const median = inOrder[Math.floor(inOrder.length / 2)]
  const rest = tried < mutants.length ? `, ${mutants.length - tried} not tried` : ''
  console.log(
    `${found.length} of ${tried} defects found (${percent.toFixed(1)} %)${rest}, half of them by seed ${median}`,
  )
  process.exitCode = wrong === 0 && rest === '' && percent >= enough ? 0 : 1
}

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    cut.abort()
    sum()
    process.exit()
  })
}
console.log(row('what is broken', 'where', 'found by', 'seed', 'time'))
await Promise.all(Array.from({ length: availableParallelism() }, tryOneAfterAnother))
sum()
