/**
 * `slowpoetry`: serves poems, slowly, to any number of clients at once.
 *
 * Ancestor: krondo's `slowpoetry.py` and `fastpoetry.py`, parts 2 and 12.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { gatherResults, inlineCallbacks, type InlineGenerator, type ListeningPort, toBytes } from 'couplet'
import { builtInPoems } from '../../built-in-poems.ts'
import { chosen } from '../../duration.ts'
import { largestPiece } from '../../poem.ts'
import { PoetryFactory } from '../../poetry-protocol.ts'
import { printable } from '../../printable.ts'
import { type Command, type CommandLine, duration, UsageError, wholeNumber } from './command.ts'
import { exitCode, type ExitCode } from './exit-codes.ts'
import type { World } from './world.ts'

const help = `\
Usage: slowpoetry [FILE…] [options]

Serves each poem on a port of its own, a line at a time, to any number of clients at once. Without a
FILE it serves three poems of four lines that come with it. Ctrl-C ends it: clients that are in the
middle of a poem get the rest at once.

Options:
  --port N          the port of the first poem (10000); the next poems are on the ports after it;
                    0 takes any free ports, and says which
  --iface ADDRESS   the IP address to listen at (127.0.0.1)
  --lines           say a line at a time (this is what it does unless told otherwise)
  --num-bytes N     say N bytes at a time instead, 1 to ${largestPiece}
  --delay TIME      the silence before each piece, the first too: 1s, 250ms, 0.5 (1s)
  --debug           if something goes wrong, say where
  --help, --version

Examples:
  slowpoetry                                    then, elsewhere: get-poetry 10000 10001 10002
  slowpoetry poem.txt --port 0 --num-bytes 10 --delay 100ms
  nc 127.0.0.1 10000
`

/** A poem file may have so many bytes. */
const largestFile = 16 * 1024 * 1024

/** So many clients may come at the same moment; a kernel that has no room for one lets it wait for a second. */
const backlog = 4096

/**
 * Milliseconds that clients get to take the rest of their poems when the server ends; then they are cut off, with a
 * reset. Less than the 5 s that `react` gives the whole program, so that this is an end in good order.
 */
const drainTime = 4000

/** The command. */
export const slowpoetry: Command = {
  name: 'slowpoetry',
  askForHelp: 'slowpoetry --help',
  help,
  options: {
    port: { type: 'string' },
    iface: { type: 'string' },
    lines: { type: 'boolean' },
    'num-bytes': { type: 'string' },
    delay: { type: 'string' },
  },
  run: inlineCallbacks(serve),
}

interface Offer {
  readonly name: string
  readonly poem: Uint8Array
}

function* serve(line: CommandLine, { reactor, stdout }: World): InlineGenerator<ExitCode> {
  const { port: first, iface, delay, numBytes } = settings(line)
  const offers = line.positionals.length === 0 ? builtIn() : line.positionals.map(readPoem)
  if (first > 0 && first + offers.length - 1 > 65_535) {
    throw new UsageError(`${offers.length} poems from port ${first} on would need ports above 65535`)
  }
  const ports: ListeningPort[] = []
  try {
    for (const [index, { name, poem }] of offers.entries()) {
      const factory = new PoetryFactory(reactor, poem, { delay, numBytes })
      const port = yield* reactor.listenTCP(first === 0 ? 0 : first + index, factory, { interface: iface, backlog })
      ports.push(port)
      stdout.write(`listening on ${port.host}: ${name}\n`)
    }
    const piece = numBytes === undefined ? 'a line' : `${numBytes} bytes`
    stdout.write(`${piece} at a time, ${chosen(delay)} before each; Ctrl-C ends it\n`)
    yield* reactor.whenStopped()
  } finally {
    yield* gatherResults(ports.map((port) => port.stopListening({ drain: drainTime })))
  }
  return exitCode.ok
}

function settings({ options }: CommandLine) {
  const numBytes = options['num-bytes']
  if (numBytes !== undefined && options['lines'] === true) {
    throw new UsageError('--lines and --num-bytes exclude each other')
  }
  return {
    port: wholeNumber('--port', String(options['port'] ?? 10_000), 0, 65_535),
    iface: String(options['iface'] ?? '127.0.0.1'),
    delay: duration('--delay', String(options['delay'] ?? '1s')),
    numBytes: numBytes === undefined ? undefined : wholeNumber('--num-bytes', String(numBytes), 1, largestPiece),
  }
}

function builtIn(): readonly Offer[] {
  return builtInPoems.map(({ title, author, text }) => ({ name: `${title}, by ${author}`, poem: toBytes(text) }))
}

/** The file as it is now; what happens to it afterwards does not matter. */
function readPoem(path: string): Offer {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const poem = readUpTo(file, largestFile)
    if (poem === undefined) throw new Error(`a poem may have ${largestFile} bytes at most`)
    return { name: printable(path), poem }
  } catch (error) {
    throw new InputError(path, error as NodeJS.ErrnoException)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Reads to the end, whatever the file says about its size: pipes and devices say nothing. */
function readUpTo(file: number, limit: number): Uint8Array | undefined {
  let bytes = new Uint8Array(64 * 1024)
  let length = 0
  for (;;) {
    const read = readSync(file, bytes, length, bytes.length - length, null)
    length += read
    if (length > limit) return undefined
    if (read === 0) return bytes.slice(0, length)
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * bytes.length)
      larger.set(bytes)
      bytes = larger
    }
  }
}

/** A poem could not be read. */
class InputError extends Error {
  static {
    this.prototype.name = 'InputError'
  }
  readonly exitCode = exitCode.noInput

  constructor(path: string, cause: NodeJS.ErrnoException) {
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'this is a directory, not a file',
      EACCES: 'you have no permission to read it',
      ELOOP: 'its symbolic links go round in a circle',
    }
    super(`${path}: ${reasons[cause.code ?? ''] ?? cause.message}`, { cause })
  }
}
