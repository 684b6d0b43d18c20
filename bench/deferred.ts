/**
 * What a Deferred costs: beside a native Promise, with the trace hook and without it, and while it is pending.
 *
 * Run it as `npm run bench -- deferred`. Sources are compiled first, as users run them; "without the hook" is the same
 * with trace/hook.ts replaced by `export const trace = null`. Two things that are compared take turns,
 * sample by sample, in several fresh processes, because V8 does not optimize the same way twice; what is reported is
 * the ratio of the pairs: its median and quartiles.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import type * as work from './work/deferred.ts'

type Work = typeof work
type Pairs = readonly (readonly [number, number])[]

/** What one process found: nanoseconds for each of a pair, bytes for each of a pair. */
interface Found {
  readonly promise: Pairs
  readonly hook: Pairs
  readonly nested: Pairs
  readonly bytes: Pairs
}

const processes = 7
const pairs = 61
const each = 2000

const [, , task, folderGiven] = process.argv
if (task === 'measure' && folderGiven !== undefined) console.log(JSON.stringify(await measure(folderGiven)))
else main()

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), 'couplet-bench-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    compile(folder, true)
    compile(folder, false)
    const command = [...process.execArgv, process.argv[1] ?? '', 'measure', folder]
    const found = Array.from({ length: processes }, () => {
      return JSON.parse(execFileSync(process.execPath, command, { encoding: 'utf8' })) as Found
    })
    console.log(`Node ${process.version}; ${processes} processes, ${pairs} pairs of ${each} in each\n`)
    const all = (key: keyof Found): Pairs => found.flatMap((one) => one[key])
    show('fired with three callbacks: Deferred, Promise', all('promise'), 0.5)
    show('the trace hook off: with it, without it', all('hook'), 1.1)
    show('the same, nested', all('nested'), 1.1)
    console.log('bytes while pending, with what fires it')
    for (const [i, [ours, theirs]] of found[0]?.bytes.entries() ?? []) {
      console.log(
        `  ${[0, 1, 3][i]} callbacks: Deferred ${ours}, Promise ${theirs}, ratio ${(ours / theirs).toFixed(2)}`,
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function show(title: string, costs: Pairs, goal: number): void {
  const [a, b] = [0, 1].map((side) => quartiles(costs.map((pair) => pair[side] ?? NaN)).median.toFixed(0))
  const { low, median, high } = quartiles(costs.map(([first, second]) => first / second))
  console.log(`${title}: ${a} and ${b} ns`)
  console.log(`  ratio ${median.toFixed(2)}, quartiles ${low.toFixed(2)} to ${high.toFixed(2)}; goal: at most ${goal}`)
}

function quartiles(numbers: number[]): { low: number; median: number; high: number } {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN
  return { low: at(0.25), median: at(0.5), high: at(0.75) }
}

async function measure(folder: string): Promise<Found> {
  const [whole, bare] = await Promise.all([imported(folder, true), imported(folder, false)])
  return {
    promise: await taken(whole.fired, whole.resolved),
    hook: await taken(whole.fired, bare.fired),
    nested: await taken(whole.nested, bare.nested),
    // Last, because it forces garbage collections, which throw optimized code away.
    bytes: [0, 1, 3].map((n) => [weigh(() => whole.pendingDeferred(n)), weigh(() => whole.pendingPromise(n))]),
  }
}

/** Nanoseconds per item of each, turn by turn; who comes first changes, so that nobody pays for the other's garbage. */
async function taken(
  a: (count: number) => void | Promise<void>,
  b: (count: number) => void | Promise<void>,
): Promise<Pairs> {
  const costs: [number, number][] = []
  const warmUp = 60
  for (let i = 0; i < pairs + warmUp; i++) {
    const [one, other] = i % 2 === 0 ? [a, b] : [b, a]
    const times: number[] = []
    for (const work of [one, other]) {
      const start = process.hrtime.bigint()
      await work(each)
      times.push(Number(process.hrtime.bigint() - start) / each)
    }
    const [first = NaN, second = NaN] = times
    if (i >= warmUp) costs.push(i % 2 === 0 ? [first, second] : [second, first])
  }
  return costs
}

/** Bytes of heap that each of 50,000 takes, while all are kept. */
function weigh(make: () => unknown): number {
  const kept: unknown[] = Array.from({ length: 50_000 })
  const collect = (globalThis as { gc?: () => void }).gc
  collect?.()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < kept.length; i++) kept[i] = make()
  collect?.()
  return Math.round((process.memoryUsage().heapUsed - before) / kept.length)
}

function nameOf(hook: boolean): string {
  return hook ? 'with-hook' : 'without-hook'
}

async function imported(folder: string, hook: boolean): Promise<Work> {
  return (await import(pathToFileURL(join(folder, nameOf(hook), 'work.js')).href)) as Work
}

/** Compiles the work and the rooms it needs, as the package is compiled; with the trace hook or without it. */
function compile(folder: string, hook: boolean): void {
  const target = join(folder, nameOf(hook))
  for (const room of ['deferred', 'trace']) {
    mkdirSync(join(target, room), { recursive: true })
    for (const file of readdirSync(join('src/framework', room))) {
      const text = readFileSync(join('src/framework', room, file), 'utf8')
      writeFileSync(join(target, room, file.replace(/ts$/, 'js')), javaScript(text))
    }
  }
  if (!hook) writeFileSync(join(target, 'trace/hook.js'), 'export const trace = null\n')
  const work = readFileSync('bench/work/deferred.ts', 'utf8').replace("'couplet'", "'./deferred/deferred.js'")
  writeFileSync(join(target, 'work.js'), javaScript(work))
}

function javaScript(text: string): string {
  const { ESNext: module } = ts.ModuleKind
  const { ES2023: target } = ts.ScriptTarget
  return ts.transpileModule(text, { compilerOptions: { module, target, rewriteRelativeImportExtensions: true } })
    .outputText
}
