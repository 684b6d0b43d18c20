/**
 * `slowpoetry`: serves poems, slowly, to any number of clients at once.
 *
 * Ancestor: krondo's `slowpoetry.py` and `fastpoetry.py`, parts 2 and 12.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { inlineCallbacks, type InlineGenerator, type ServerEndpoint, toBytes } from 'couplet'
import { builtInPoems } from '../../built-in-poems.ts'
import { chosen } from '../../duration.ts'
import { largestPiece } from '../../poem.ts'
import { PoetryFactory } from '../../poetry-protocol.ts'
import { printable } from '../../printable.ts'
import { type Command, type CommandLine, commonHelp, duration, textsOf, UsageError, wholeNumber } from './command.ts'
import { exitCode, type ExitCode } from './exit-codes.ts'
import { placesOf, serve, servingHelp, servingOptions } from './serving.ts'
import type { World } from './world.ts'

const help = `\
Usage: slowpoetry [FILE…] [options]

Serves each poem on a port of its own, a line at a time, to any number of clients at once. Without a
FILE it serves three poems of four lines that come with it. Ctrl-C ends it: clients that are in the
middle of a poem get the rest at once.

Options:
  --port N          the port of the first poem (10000); the next poems are on the ports after it;
                    0 takes any free ports, and says which
${servingHelp}
  --lines           say a line at a time (this is what it does unless told otherwise)
  --num-bytes N     say N bytes at a time instead, 1 to ${largestPiece}
  --delay TIME      the silence before each piece, the first too: 1s, 250ms, 0.5 (1s)
${commonHelp}

Examples:
  slowpoetry                                    then, elsewhere: get-poetry 10000 10001 10002
  slowpoetry poem.txt --port 0 --num-bytes 10 --delay 100ms
  slowpoetry poem.txt --listen unix:/tmp/poem   then, elsewhere: get-poetry unix:/tmp/poem
  nc 127.0.0.1 10000
`

/** A poem file may have so many bytes. */
const largestFile = 16 * 1024 * 1024

/** The command. */
export const slowpoetry: Command = {
  name: 'slowpoetry',
  askForHelp: 'slowpoetry --help',
  help,
  options: {
    ...servingOptions,
    lines: { type: 'boolean' },
    'num-bytes': { type: 'string' },
    delay: { type: 'string' },
  },
  run: inlineCallbacks(run),
}

interface NamedPoem {
  readonly name: string
  readonly poem: Uint8Array
}

function* run(line: CommandLine, world: World): InlineGenerator<ExitCode> {
  const { reactor } = world
  const { delay, numBytes } = settings(line)
  const listen = textsOf(line.options['listen'])
  // Where somebody says where to listen, and not for what, there are as many poems as places.
  const builtIn = listen.length === 0 ? builtInNamed : builtInNamed.slice(0, listen.length)
  const poems = line.positionals.length === 0 ? builtIn : line.positionals.map(readPoem)
  const places = placesOf(line, reactor, 10_000, poems.length)
  const offers = poems.map(({ name, poem }, index) => ({
    name,
    place: places[index] as ServerEndpoint,
    factory: new PoetryFactory(reactor, poem, { delay, numBytes }),
  }))
  const piece = numBytes === undefined ? 'a line' : `${numBytes} bytes`
  return yield* serve(offers, `${piece} at a time, ${chosen(delay)} before each`, world)
}

function settings({ options }: CommandLine) {
  const numBytes = options['num-bytes']
  if (numBytes !== undefined && options['lines'] === true) {
    throw new UsageError('--lines and --num-bytes exclude each other')
  }
  return {
    delay: duration('--delay', String(options['delay'] ?? '1s')),
    numBytes: numBytes === undefined ? undefined : wholeNumber('--num-bytes', String(numBytes), 1, largestPiece),
  }
}

const builtInNamed: readonly NamedPoem[] = builtInPoems.map(({ title, author, text }) => ({
  name: `${title}, by ${author}`,
  poem: toBytes(text),
}))

/** The file as it is now; what happens to it afterwards does not matter. */
function readPoem(path: string): NamedPoem {
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
