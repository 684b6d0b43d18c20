/**
 * `get-poetry`: gets poems from slow servers, one after another or all at once, and says how it goes.
 *
 * Ancestor: krondo's `get-poetry.py` in its many versions, parts 1 to 10.
 */
import {
  type ClientEndpoint,
  Deferred,
  inlineCallbacks,
  type InlineGenerator,
  type Reactor,
  type Settled,
  TCPClientEndpoint,
  toText,
} from 'couplet'
import { type Mode, modes } from '../../download.ts'
import { measured } from '../../duration.ts'
import { getPoetryBytes } from '../../poetry-client.ts'
import { printableLines } from '../../printable.ts'
import { type Command, type CommandLine, complaint, UsageError } from './command.ts'
import { exitCode, type ExitCode, exitCodeFor, exitCodeForSignal } from './exit-codes.ts'
import { type Progress, progressOn } from './progress.ts'
import { type Output, type World, written } from './world.ts'

const help = `\
Usage: get-poetry [options] [HOST:]PORT…

Gets a poem from each of the servers and prints the poems in the order asked for. How it goes is
said on stderr. A poem that was cut off is an error, and nothing of it is printed. It works with any
server that sends bytes and closes the connection. Without HOST it is 127.0.0.1.

Options:
  --mode MODE     concurrent: all at once (this is what it does unless told otherwise)
                  sequential: one after another, as a blocking client does
                  rx: all at once, as Observables; needs the package rxjs
  --debug         if something goes wrong, say where
  --help, --version

Examples:
  get-poetry 10000 10001 10002
  get-poetry --mode sequential localhost:10000 [::1]:10001 > poems.txt

It ends with 0 if every poem is whole; otherwise with 68 for an unknown host, 69 for a server that
cannot be reached, 74 for a poem that was cut off, 76 for one of more than 16 MiB.
`

/** The command. */
export const getPoetryCommand: Command = {
  name: 'get-poetry',
  askForHelp: 'get-poetry --help',
  help,
  options: { mode: { type: 'string' } },
  run: inlineCallbacks(download),
}

interface Source {
  readonly name: string
  readonly endpoint: ClientEndpoint
}

function* download({ options, positionals }: CommandLine, world: World): InlineGenerator<ExitCode> {
  const { reactor, stderr } = world
  const mode = modeCalled(String(options['mode'] ?? 'concurrent'))
  if (positionals.length === 0) throw new UsageError('which poems? Give the [HOST:]PORT of one server or more')
  const sources = positionals.map((text) => source(text, reactor))
  const way = mode === 'rx' ? yield* merging() : modes[mode]

  const start = reactor.now()
  const progress = progressOn(
    stderr,
    reactor,
    sources.map(({ name }) => name),
  )
  let signal: string | undefined
  const downloads = way(sources.map((from, index) => () => getOne(from, index, progress, () => signal)))
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
  yield* print(world.stdout, poems)
  const failed = outcomes.find((outcome) => !outcome.ok)
  return failed === undefined ? exitCode.ok : exitCodeFor(failed.failure.value)
}

/** Gets one poem, and says so. */
function getOne(
  { endpoint }: Source,
  index: number,
  progress: Progress,
  signal: () => string | undefined,
): Deferred<Uint8Array> {
  progress.started(index)
  return getPoetryBytes(endpoint, { received: (piece) => progress.received(index, piece.length) }).addCallbacks(
    (poem) => {
      progress.finished(index)
      return poem
    },
    (failure) => {
      progress.failed(index)
      // Whoever pressed Ctrl-C knows why the poems do not come.
      if (signal() === undefined) progress.say(complaint(getPoetryCommand, failure.value).trimEnd())
      return failure
    },
  )
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

/** @throws UsageError unless it is `PORT`, `HOST:PORT` or `[ADDRESS]:PORT` */
function source(text: string, reactor: Reactor): Source {
  const [, address, name, digits = ''] = /^(?:(?:\[([^\][]+)\]|([^:\][]+)):)?(\d{1,5})$/.exec(text) ?? []
  const host = address ?? name ?? '127.0.0.1'
  const port = Number(digits)
  if (digits === '' || port < 1 || port > 65_535) {
    throw new UsageError(`"${text}" is not [HOST:]PORT with a port from 1 to 65535`)
  }
  const shown = address === undefined ? host : `[${host}]`
  return { name: `${shown}:${port}`, endpoint: new TCPClientEndpoint(reactor, host, port) }
}
