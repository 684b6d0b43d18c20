/**
 * `get-poetry`: gets poems from slow servers, one after another or all at once, and says how it goes.
 *
 * Ancestor: krondo's `get-poetry.py` in its many versions, parts 1 to 10.
 */
import { Deferred, inlineCallbacks, type InlineGenerator, type Settled, toBytes, toText } from 'couplet'
import { type Mode, modes } from '../../download.ts'
import { measured } from '../../duration.ts'
import { getRecorded, markFailed, markTransformed } from '../../pictures/story.ts'
import { printableLines } from '../../printable.ts'
import { transformPoem } from '../../transform/transform-client.ts'
import { TransformFailed } from '../../transform/transform-service.ts'
import { type Command, type CommandLine, commonHelp, complaint, duration, UsageError } from './command.ts'
import { exitCode, type ExitCode, exitCodeFor, exitCodeForSignal } from './exit-codes.ts'
import { drawn, pictureHelp, pictureIn, pictureOptions } from './pictures.ts'
import { type Progress, progressOn } from './progress.ts'
import { type Source, sourceOf, within } from './sources.ts'
import { type Output, type World, written } from './world.ts'

const help = `\
Usage: get-poetry [options] [HOST:]PORT…

Gets a poem from each of the servers and prints the poems in the order asked for. How it goes is
said on stderr. A poem that was cut off is an error, and nothing of it is printed. It works with any
server that sends bytes and closes the connection. Without HOST it is 127.0.0.1; an endpoint will do
too, as in unix:/tmp/poem or tls:poems.example:443.

Options:
  --mode MODE       concurrent: all at once (this is what it does unless told otherwise)
                    sequential: one after another, as a blocking client does
                    rx: all at once, as Observables; needs the package rxjs
  --transform SERVER:NAME
                    have each poem transformed, as in 11000:cummingsify; SERVER is written as above
  --timeout TIME    give up a poem that takes longer: 1s, 250ms, 0.5 (never)
${pictureHelp}
${commonHelp}

Examples:
  get-poetry 10000 10001 10002
  get-poetry --mode sequential localhost:10000 [::1]:10001 > poems.txt
  get-poetry --timeline 10000 10001 10002
  get-poetry --transform 11000:shout --timeout 10s unix:/tmp/poem

It ends with 0 if every poem is whole; otherwise with 65 for a poem that could not be transformed,
68 for an unknown host, 69 for a server that cannot be reached, 74 for a poem that was cut off, 75
for one that took too long, 76 for one of more than 16 MiB, 77 for a server that cannot prove by its
certificate who it is.
`

/** The command. */
export const getPoetryCommand: Command = {
  name: 'get-poetry',
  askForHelp: 'get-poetry --help',
  help,
  options: {
    mode: { type: 'string' },
    transform: { type: 'string' },
    timeout: { type: 'string' },
    ...pictureOptions,
  },
  draws: (line) => pictureIn(line) !== undefined,
  run: inlineCallbacks(download),
}

/** What is to be done with each poem. */
interface Wishes {
  readonly transform: (Source & { readonly transform: string }) | undefined
  /** Milliseconds that a poem may take, from being asked for to being transformed. */
  readonly timeout: number | undefined
}

function* download(line: CommandLine, world: World): InlineGenerator<ExitCode> {
  const { options, positionals } = line
  const { reactor, stderr } = world
  const mode = modeCalled(String(options['mode'] ?? 'concurrent'))
  if (positionals.length === 0) throw new UsageError('which poems? Give the [HOST:]PORT of one server or more')
  const sources = positionals.map((text) => sourceOf(text, reactor))
  const wishes = wishesIn(line, reactor)
  const picture = pictureIn(line)
  const way = mode === 'rx' ? yield* merging() : modes[mode]

  const start = reactor.now()
  const progress = progressOn(
    stderr,
    reactor,
    sources.map(({ name }) => name),
  )
  let signal: string | undefined
  const downloads = way(sources.map((from, index) => () => getOne(from, index, wishes, world, progress, () => signal)))
  const stopped = reactor.whenStopped().addCallback((why) => {
    signal = why
    downloads.cancel()
  })
  let outcomes: readonly Settled<Uint8Array>[]
  try {
    outcomes = yield* downloads
  } catch (error) {
    if (signal === undefined) throw error
    outcomes = []
  } finally {
    stopped.cancel()
    progress.close()
  }
  if (signal !== undefined) return exitCodeForSignal(signal)

  const poems = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.value] : []))
  const bytes = poems.reduce((sum, poem) => sum + poem.length, 0)
  const all = poems.length === sources.length ? '' : ` of ${sources.length}`
  stderr.write(
    `${poems.length}${all} ${poems.length === 1 && all === '' ? 'poem' : 'poems'}, ${bytes} bytes, ` +
      `${mode}, in ${measured(reactor.now() - start)}\n`,
  )
  if (picture === undefined) yield* print(world.stdout, poems)
  else yield* written(world.stdout, drawn(picture, world))
  const failed = outcomes.find((outcome) => !outcome.ok)
  return failed === undefined ? exitCode.ok : exitCodeFor(failed.failure.value)
}

/** Gets one poem, has it transformed if that is wished, and says so. */
function getOne(
  source: Source,
  index: number,
  wishes: Wishes,
  { recording, reactor }: World,
  progress: Progress,
  signal: () => string | undefined,
): Deferred<Uint8Array> {
  const recorder = recording?.recorder
  progress.started(index)
  const poem = getRecorded(recorder, source.name, source.endpoint, {
    received: (piece) => progress.received(index, piece.length),
  })
  const { transform, timeout } = wishes
  if (transform !== undefined) {
    poem.addCallback(function transformed(bytes) {
      return transformPoem(transform.endpoint, transform.transform, toText(bytes)).addCallbacks(
        (text) => {
          markTransformed(recorder, poem)
          return toBytes(text)
        },
        ({ value }) => {
          throw notTransformed(source.name, value)
        },
      )
    })
  }
  return within(poem, timeout, reactor, source.name).addCallbacks(
    function finished(bytes) {
      progress.finished(index)
      return bytes
    },
    function failed(failure) {
      markFailed(recorder, poem, failure.value)
      progress.failed(index)
      // Whoever pressed Ctrl-C knows why the poems do not come.
      if (signal() === undefined) progress.say(complaint(getPoetryCommand, failure.value).trimEnd())
      return failure
    },
  )
}

/** The same failure, and whose poem it was. */
function notTransformed(name: string, error: unknown): unknown {
  return error instanceof TransformFailed ? new TransformFailed(`${name}: ${error.message}`, { cause: error }) : error
}

function wishesIn({ options }: CommandLine, reactor: World['reactor']): Wishes {
  const { transform, timeout } = options
  const wishes = { timeout: timeout === undefined ? undefined : duration('--timeout', String(timeout)) }
  if (transform === undefined) return { ...wishes, transform: undefined }
  const [, server, name] = /^(.+):([\w-]+)$/.exec(String(transform)) ?? []
  if (server === undefined || name === undefined) {
    throw new UsageError(`--transform takes SERVER:NAME, as in 11000:cummingsify, not "${String(transform)}"`)
  }
  return { ...wishes, transform: { ...sourceOf(server, reactor), transform: name } }
}

/** Byte for byte into a file or a pipe; for a terminal as harmless text, with an empty line between two poems. */
function* printing(stdout: Output, poems: readonly Uint8Array[]): InlineGenerator<void> {
  for (const [index, poem] of poems.entries()) {
    if (stdout.isTTY !== true) yield* written(stdout, poem)
    else yield* written(stdout, `${index === 0 ? '' : '\n'}${printableLines(toText(poem))}`)
  }
}

const print = inlineCallbacks(printing)

function modeCalled(name: string): Mode | 'rx' {
  if (name === 'rx' || Object.hasOwn(modes, name)) return name as Mode | 'rx'
  throw new UsageError(`--mode takes ${[...Object.keys(modes), 'rx'].join(' or ')}, not "${name}"`)
}

/** RxJS is loaded only if somebody asks for it: it need not be there, and takes a while. */
function* merging(): InlineGenerator<(typeof modes)[Mode]> {
  try {
    return (yield* Deferred.fromPromise(import('../../rx.ts'))).merged
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new UsageError('--mode rx needs the package rxjs (npm install rxjs)')
  }
}
