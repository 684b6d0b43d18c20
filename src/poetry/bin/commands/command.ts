/**
 * What the command lines have in common: options, `--help`, `--version`, `--trace`, one line for whatever goes wrong, and a
 * number to end with.
 *
 * No ancestor; Twisted's is `twisted.python.usage`.
 */
import { readFileSync } from 'node:fs'
import { inspect, parseArgs } from 'node:util'
import type { Deferred } from 'couplet'
import { inlineCallbacks, type InlineGenerator } from 'couplet'
import { parseDuration } from '../../duration.ts'
import { printable } from '../../printable.ts'
import { exitCode, exitCodeFor, type ExitCode } from './exit-codes.ts'
import { Recording } from './recording.ts'
import { type World, written } from './world.ts'

/** What was given for an option; for one that may be given several times, a list. */
type Given = string | boolean | readonly (string | boolean)[]

/** What was written on the command line: each option by its name, and the rest. */
export interface CommandLine {
  readonly options: Readonly<Record<string, Given | undefined>>
  readonly positionals: readonly string[]
}

/** What `--help` says about the options that every command has. */
export const commonHelp = `\
  --trace FILE      write down everything that happens, as lines of JSON
  --debug           if something goes wrong, say where
  --help, --version`

/** A program without its process. */
export interface Command {
  readonly name: string
  /** What one types to get {@link help}. */
  readonly askForHelp: string
  /** What `--help` prints. */
  readonly help: string
  /** The options besides `--help`, `--version`, `--debug` and `--trace`. */
  readonly options: Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>>
  /** Whether it wants to see the record of what happens, for pictures. It does not unless it says so. */
  readonly draws?: ((line: CommandLine) => boolean) | undefined
  /** Does the work; fires with the number to end with, or fails with what went wrong. */
  run(line: CommandLine, world: World): Deferred<ExitCode>
}

/** Something is wrong with how the program was called; the message is for a person. */
export class UsageError extends Error {
  static {
    this.prototype.name = 'UsageError'
  }
  readonly exitCode = exitCode.usage
}

/** Runs a command. Never fails: fires with the number to end with, when everything is said. */
export function main(command: Command, argv: readonly string[], world: World): Deferred<ExitCode> {
  return inlineCallbacks(function* main(): InlineGenerator<ExitCode> {
    let debug = false
    try {
      const line = parse(command, argv)
      debug = line.options['debug'] === true
      if (line.options['help'] === true) yield* written(world.stdout, command.help)
      else if (line.options['version'] === true) yield* written(world.stdout, `${version()}\n`)
      else return yield* recorded(command, argv, line, world)
      return exitCode.ok
    } catch (error) {
      const code = exitCodeFor(error)
      // Whoever closed our stdout has what it wanted, and knows.
      if (code !== exitCode.stdoutClosed) world.stderr.write(complaint(command, error, debug))
      return code
    }
  })()
}

/** Runs it while a recorder listens, if anybody wants that. */
function* recorded(
  command: Command,
  argv: readonly string[],
  line: CommandLine,
  world: World,
): InlineGenerator<ExitCode> {
  const path = line.options['trace']
  const draws = command.draws?.(line) === true
  if (path === undefined && !draws) return yield* command.run(line, world)
  const title = [command.name, ...argv].join(' ')
  const recording = new Recording(world.reactor, title, path === undefined ? path : String(path), draws)
  try {
    return yield* command.run(line, { ...world, recording: { title, recorder: recording.recorder } })
  } finally {
    recording.close()
  }
}

/** What to say about an error: one line, or everything there is. */
export function complaint({ name, askForHelp }: Command, error: unknown, debug = false): string {
  const said = error instanceof Error ? error.message : String(error)
  const bug = exitCodeFor(error) === exitCode.internal && !debug
  const hint = error instanceof UsageError ? ` (${askForHelp} explains)` : bug ? ' (a bug; --debug shows where)' : ''
  const line = `${name}: ${printable(said.replace(/\s*\n\s*/g, ' '))}${hint}\n`
  return debug ? `${line}${inspect(error)}\n` : line
}

/** @throws UsageError unless it is a whole number from `least` to `most` */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`${option} takes a whole number from ${least} to ${most}, not "${text}"`)
}

/** What was given for an option that may be given several times. */
export function textsOf(given: Given | undefined): readonly string[] {
  return Array.isArray(given) ? given.map(String) : []
}

/** @throws UsageError unless it is a time */
export function duration(option: string, text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new UsageError(`${option} takes a time, as in 1s, 250ms or 0.5 (seconds), not "${text}"`)
}

function parse({ options }: Command, argv: readonly string[]): CommandLine {
  const flag = { type: 'boolean' } as const
  const known = {
    ...options,
    help: { ...flag, short: 'h' },
    version: flag,
    debug: flag,
    trace: { type: 'string' },
  } as const
  try {
    const { values, positionals } = parseArgs({ args: joined(argv, options), options: known, allowPositionals: true })
    return { options: values, positionals }
  } catch (error) {
    // parseArgs explains at length; its first sentence says what is wrong.
    const [sentence = ''] = (error as Error).message.split(/\.\s|\n/)
    throw new UsageError(
      sentence.replace(/^./, (first) => first.toLowerCase()),
      { cause: error },
    )
  }
}

/** `--delay -1` as `--delay=-1`: a negative number is a wrong value, not an option, and that is what we want to say. */
function joined(argv: readonly string[], options: Command['options']): string[] {
  const args: string[] = []
  for (const arg of argv) {
    const before = args.at(-1) ?? ''
    const wantsValue = before.startsWith('--') && options[before.slice(2)]?.type === 'string'
    if (wantsValue && /^-[\d.]/.test(arg) && !args.includes('--')) args[args.length - 1] = `${before}=${arg}`
    else args.push(arg)
  }
  return args
}

/** The package's version; its file is four floors up from here, in the sources and in what is built from them. */
function version(): string {
  const text = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
