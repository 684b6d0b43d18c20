/**
 * `poetry-proxy`: gets poems from slow servers once, and gives them to any number of clients.
 *
 * Ancestor: krondo's `twisted-server-2` to `-4/poetry-proxy.py`, parts 14, 16 and 19.
 */
import { type Deferred, inlineCallbacks, type InlineGenerator } from 'couplet'
import { getPoetryBytes } from '../../poetry-client.ts'
import { PoemCache } from '../../proxy/poem-cache.ts'
import { PoetryProxyFactory } from '../../proxy/proxy-protocol.ts'
import { type Command, type CommandLine, commonHelp, complaint, duration, UsageError } from './command.ts'
import type { ExitCode } from './exit-codes.ts'
import { placesOf, serve, servingHelp, servingOptions } from './serving.ts'
import { type Source, sourceOf, within } from './sources.ts'
import type { World } from './world.ts'

const help = `\
Usage: poetry-proxy [options] [HOST:]PORT…

Gets a poem from each of the servers when somebody asks for it, once, and gives it to everybody who
asks then or later. A poem that was cut off is given to nobody, and got again for the next client. A
poem that nobody waits for any more is not got to its end. Each poem has a port of its own. Ctrl-C
ends it: clients that wait have 4 s for their poems.

Options:
  --port N          the port of the first poem (12000); the next poems are on the ports after it;
                    0 takes any free ports, and says which
${servingHelp}
  --max-age TIME    a poem is good for so long, and then got again: 1s, 250ms, 0.5 (for ever)
  --timeout TIME    give a server up that takes longer for its poem (never)
${commonHelp}

Examples:
  poetry-proxy 10000 10001 10002      then, elsewhere: get-poetry 12000 12001 12002
  poetry-proxy --max-age 60s tls:poems.example:443
  nc 127.0.0.1 12000

A client that closes its own side while it waits, as nc -N does, counts as one that has gone.
`

/** The command. */
export const poetryProxy: Command = {
  name: 'poetry-proxy',
  askForHelp: 'poetry-proxy --help',
  help,
  options: { ...servingOptions, 'max-age': { type: 'string' }, timeout: { type: 'string' } },
  run: inlineCallbacks(run),
}

function* run(line: CommandLine, world: World): InlineGenerator<ExitCode> {
  const { reactor, stderr } = world
  const { positionals, options } = line
  if (positionals.length === 0) throw new UsageError('which poems? Give the [HOST:]PORT of one server or more')
  const maxAge = options['max-age'] === undefined ? undefined : duration('--max-age', String(options['max-age']))
  const timeout = options['timeout'] === undefined ? undefined : duration('--timeout', String(options['timeout']))
  const get = ({ name, endpoint }: Source, waiting: () => number): Deferred<Uint8Array> =>
    within(getPoetryBytes(endpoint), timeout, reactor, name).addErrback((failure) => {
      // With nobody waiting, it is we who gave it up.
      if (waiting() > 0) stderr.write(complaint(poetryProxy, failure.value))
      return failure
    })
  const sources = positionals.map((text) => sourceOf(text, reactor))
  const places = placesOf(line, reactor, 12_000, sources.length)
  const offers = places.map((place, index) => {
    const source = sources[index] as Source
    const cache: PoemCache = new PoemCache(reactor, () => get(source, () => cache.waiting), { maxAge })
    return { name: source.name, place, factory: new PoetryProxyFactory(cache) }
  })
  return yield* serve(offers, 'each poem is got once', world)
}
