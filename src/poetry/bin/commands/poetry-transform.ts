/**
 * `poetry-transform`: serves transforms of poems.
 *
 * Ancestor: krondo's `twisted-server-1/tranformedpoetry.py`, part 12.
 */
import { deferLater, execute, idleTimeout, inlineCallbacks, type InlineGenerator, withPolicies } from 'couplet'
import { TransformFactory } from '../../transform/transform-protocol.ts'
import { TransformService } from '../../transform/transform-service.ts'
import { longestTransformed } from '../../transform/transform-wire.ts'
import { builtInTransforms, type Transform } from '../../transform/transforms.ts'
import { type Command, type CommandLine, commonHelp, duration, UsageError } from './command.ts'
import type { ExitCode } from './exit-codes.ts'
import { placesOf, serve, servingHelp, servingOptions } from './serving.ts'
import type { World } from './world.ts'

const help = `\
Usage: poetry-transform [options]

Transforms poems for any number of clients at once. A question is the netstring NAME.POEM, and its
answer is the transformed poem; ?NAME.POEM is answered with +POEM or, if that is not to be, with
-REASON. NAME is one of: ${[...builtInTransforms.keys()].join(', ')}.
Many questions may be asked over one connection, without waiting; answers keep their order. Ctrl-C
ends it: what was asked is still answered.

Options:
  --port N          the port to listen on (11000); 0 takes any free port, and says which
${servingHelp}
  --delay TIME      think so long about each poem: 1s, 250ms, 0.5 (0)
${commonHelp}

Examples:
  poetry-transform                              then, elsewhere:
                                                get-poetry --transform 11000:cummingsify 10000
  printf '14:shout.Be quiet,' | nc -N 127.0.0.1 11000

A question has ${longestTransformed} bytes at most, an answer too. A client that says nothing for a
minute is let go.
`

/** Milliseconds after which a client that says nothing has to go. */
const idle = 60_000

/** The command. */
export const poetryTransform: Command = {
  name: 'poetry-transform',
  askForHelp: 'poetry-transform --help',
  help,
  options: { ...servingOptions, delay: { type: 'string' } },
  run: inlineCallbacks(run),
}

function* run(line: CommandLine, world: World): InlineGenerator<ExitCode> {
  const { reactor } = world
  const delay = duration('--delay', String(line.options['delay'] ?? '0'))
  if (line.positionals.length > 0) throw new UsageError(`it takes no arguments, not "${line.positionals[0]}"`)
  const slowly = (transform: Transform): Transform =>
    delay === 0 ? transform : (poem) => deferLater(reactor, delay, () => execute(() => transform(poem)))
  const transforms = new Map([...builtInTransforms].map(([name, transform]) => [name, slowly(transform)]))
  const service = new TransformService(transforms)
  const factory = withPolicies(new TransformFactory(service), idleTimeout(reactor, idle + delay))
  const offers = placesOf(line, reactor, 11_000, 1).map((place) => ({ name: service.names.join(', '), place, factory }))
  return yield* serve(offers, 'transforms poems', world)
}
