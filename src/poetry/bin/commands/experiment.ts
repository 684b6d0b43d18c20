/**
 * `npm start`: the experiment, shown while it runs, and then why it came out as it did.
 *
 * Ancestor: krondo's part 1, figures 1 to 4, here as measured.
 */
import { inlineCallbacks, type InlineGenerator, toBytes, toText } from 'couplet'
import { builtInPoems } from '../../built-in-poems.ts'
import type { Mode } from '../../download.ts'
import { chosen, measured } from '../../duration.ts'
import { type Experiment, experiment, type Run } from '../../experiment.ts'
import { printableLines } from '../../printable.ts'
import { tell } from '../../pictures/prose.ts'
import { drawBar } from '../../pictures/timeline.ts'
import { type Command, type CommandLine, duration, UsageError } from './command.ts'
import { exitCode, type ExitCode, exitCodeForSignal } from './exit-codes.ts'
import { colors } from './pictures.ts'
import { type Color, widthOf, type World, written } from './world.ts'

const help = `\
Usage: npm start [-- OPTIONS]

Three slow poets of four lines each are asked for their poems, one after another and then all at
once. It prints the lines as they arrive, the two times, and a timeline that shows why.

Options:
  --delay TIME    the silence before each line: 1s, 250ms, 0.5 (1s)
  --log           in place of the timeline, tell what happened
  --trace FILE    write down everything that happens, as lines of JSON
  --debug         if something goes wrong, say where
  --help, --version

Examples:
  npm start
  npm start -- --delay 100ms
  npm start -- --log
`

/** The command. */
export const experimentCommand: Command = {
  name: 'npm start',
  askForHelp: 'npm start -- --help',
  help,
  options: { delay: { type: 'string' }, log: { type: 'boolean' } },
  draws: () => true,
  run: inlineCallbacks(show),
}

const intentions: Readonly<Record<Mode, string>> = {
  sequential: 'Sequential: one after another, as a blocking client has to',
  concurrent: 'Concurrent: all at once, as an asynchronous client can',
}

/** Columns of a bar that fits into 80 with what stands around it. */
const widest = 60

function* show({ options, positionals }: CommandLine, world: World): InlineGenerator<ExitCode> {
  const { reactor, paint, stdout } = world
  if (positionals.length > 0) throw new UsageError(`it takes no arguments, not "${positionals[0]}"`)
  const delay = duration('--delay', String(options['delay'] ?? '1s'))
  const say = (line = ''): void => void stdout.write(`${line}\n`)

  say(`Three slow poets: four lines each, and ${chosen(delay)} of silence before every line.`)
  const running = experiment({
    poets: reactor,
    reader: reactor,
    poems: builtInPoems.map(({ text }) => toBytes(text)),
    delay,
    recorder: world.recording?.recorder,
    began: (mode) => say(`\n${paint('bold', intentions[mode])}\n`),
    received: (index, piece, ms) => {
      const [time, poem] = [measured(ms).padStart(9), paint(colorOf(index), `poem ${index + 1}`)]
      for (const line of printableLines(toText(piece)).trimEnd().split('\n')) say(`${time}  ${poem}  ${line}`)
    },
  })
  let signal: string | undefined
  const stopped = reactor.whenStopped().addCallback((why) => {
    signal = why
    running.cancel()
  })
  let result: Experiment
  try {
    result = yield* running
  } catch (error) {
    if (signal === undefined) throw error
    return exitCodeForSignal(signal)
  } finally {
    stopped.cancel()
  }
  yield* written(stdout, options['log'] === true ? prose(result, world) : picture(result, world))
  return exitCode.ok
}

/** Both runs on one scale, so that the difference can be seen, and then in figures. */
function picture({ sequential, concurrent }: Experiment, { paint, stdout }: World): string {
  const width = Math.max(20, Math.min(widest, widthOf(stdout) - 20))
  const span = Math.max(sequential.ms, concurrent.ms, 1)
  const rows = (run: Run): string[] => [
    `  ${run.mode}`,
    ...run.tasks.map((task, index) => {
      const drawn = drawBar(task, { span, width, now: run.ms })
      const row = `   ${paint(colorOf(index), `${task.name}  ${drawn}`)}`
      if (index < run.tasks.length - 1) return row
      return `${row}${' '.repeat(width - drawn.length)}${paint('bold', measured(run.ms).padStart(8))}`
    }),
  ]
  return [
    '',
    `${paint('bold', 'Why?')} ─ waits for a poet, ● is a line that arrived; both pictures have one scale.`,
    '',
    ...rows(sequential),
    '',
    ...rows(concurrent),
    ...inFigures({ sequential, concurrent }, paint),
  ].join('\n')
}

/** Both runs in sentences, and in figures. */
function prose(result: Experiment, { paint }: World): string {
  const runs = [result.sequential, result.concurrent]
  return [
    '',
    paint('bold', 'What happened?'),
    ...runs.flatMap(({ mode, tasks, ms }) => ['', `  ${mode}`, ...tell({ tasks, now: ms })]),
    ...inFigures(result, paint),
  ].join('\n')
}

function inFigures({ sequential, concurrent }: Experiment, paint: World['paint']): string[] {
  const times = `  sequential ${measured(sequential.ms)}   concurrent ${measured(concurrent.ms)}`
  const ratio = `${(sequential.ms / Math.max(concurrent.ms, 1)).toFixed(1)}x`
  return [
    '',
    `${times}   ratio ${paint('bold', ratio)}`,
    '',
    'No poet was any faster: the reader used the time in which each was silent.',
    '',
  ]
}

function colorOf(index: number): Color {
  return colors[index % colors.length] ?? 'cyan'
}
