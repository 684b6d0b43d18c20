/**
 * Is the simulated world any good? `npm run mutants` puts one defect after another into the framework, and looks whether
 * the world finds it, and with how many seeds; `npm run mutants -- WORD` tries those whose sentence has that word in it.
 * The sources stay as they are: a defect only exists in a bundle, which runs in a process of its own.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { above } from '../test/sim/mutants/above.ts'
import type { Catch } from '../test/sim/mutants/hunt.program.ts'
import { inCore } from '../test/sim/mutants/in-core.ts'
import { inFraming } from '../test/sim/mutants/in-framing.ts'
import { mutated, type Mutant } from '../test/sim/mutants/mutant.ts'
import { bundle } from './bundle.ts'

/** A defect that no test finds with so many seeds is not found. */
const seeds = Number(process.env['SIM_SEEDS'] ?? 2000)
/** Of a hundred defects so many have to be found. */
const enough = 95
/** Milliseconds that one may take. What does not end is not found, either. */
const mostTime = 600_000

const hunt = 'test/sim/mutants/hunt.program.ts'
const folder = join(import.meta.dirname, '..', '.cache', 'mutants')

/** How it went: caught; or it survived, ran on and on, or could not even be loaded, none of which counts. */
type Fate = { readonly is: 'caught'; readonly by: Catch } | { readonly is: 'survived' | 'hung' | 'broken' }

async function tryOut(mutant: Mutant | undefined): Promise<Fate> {
  let applied = mutant === undefined
  const code = await bundle(hunt, (path, text) => {
    if (mutant === undefined || path !== `src/${mutant.file}`) return text
    applied = true
    return mutated(text, mutant)
  })
  if (!applied) throw new Error(`${mutant?.file} is not part of what is tried`)
  const file = join(folder, 'hunt.mjs')
  writeFileSync(file, code)
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [file, String(seeds)], {
    encoding: 'utf8',
    timeout: mostTime,
    killSignal: 'SIGKILL',
  })
  if (error !== undefined) return { is: 'hung' }
  if (status !== 0) console.error(stderr)
  if (status !== 0) return { is: 'broken' }
  return stdout === '' ? { is: 'survived' } : { is: 'caught', by: JSON.parse(stdout) as Catch }
}

const [word = ''] = process.argv.slice(2)
const mutants = [...inCore, ...inFraming, ...above].filter(({ breaks }) => breaks.includes(word))
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

const row = (...[what, where, by, seed, time]: string[]): string =>
  `${what!.padEnd(78)} ${where!.padEnd(24)} ${by!.padEnd(14)} ${seed!.padStart(5)} ${time!.padStart(9)}`

console.log(row('what is broken', 'where', 'found by', 'seed', 'time'))
const found: Catch[] = []
let wrong = 0
// First of all: whatever finds something where nothing is wrong finds nothing.
for (const mutant of word === '' ? [undefined, ...mutants] : mutants) {
  const start = performance.now()
  const fate = await tryOut(mutant).catch((error: unknown) => {
    console.error(String(error).split('\n', 3).join(' '))
    return { is: 'broken' } as const
  })
  const time = `${(performance.now() - start).toFixed(0)} ms`
  const [by, seed] = fate.is === 'caught' ? [fate.by.by, String(fate.by.seed)] : [fate.is, '']
  const fine = mutant === undefined ? fate.is === 'survived' : fate.is === 'caught'
  const where = mutant?.file.replace(/^.*\//, '') ?? ''
  const line = row(mutant?.breaks ?? '(nothing)', where, by, seed, time)
  console.log(fine ? line : styleText('red', line))
  if (process.env['WHY'] !== undefined && fate.is === 'caught') console.log(`    ${fate.by.why.split('\n')[0]}`)
  if (mutant !== undefined && fate.is === 'caught') found.push(fate.by)
  if (fate.is === 'broken' || (mutant === undefined && !fine)) wrong++
}

const inOrder = found.map(({ seed }) => seed).sort((one, other) => one - other)
const percent = (100 * found.length) / mutants.length
const median = inOrder[Math.floor(inOrder.length / 2)]
console.log(
  `${found.length} of ${mutants.length} defects found (${percent.toFixed(1)} %), half of them by seed ${median}`,
)
process.exitCode = wrong === 0 && percent >= enough ? 0 : 1
