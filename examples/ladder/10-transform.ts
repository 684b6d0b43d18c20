/**
 * Transforms a poem on its way down the chain: what a callback returns is what the next one gets.
 *
 * Look at the second poem: it does not get past the type case, which has no accents. So the stages below that one are
 * skipped, the numbers too, and the errback at the end has no poem to print. Look at `orElse` in the second round: it
 * keeps what it had when a stage fails, so the chain goes on. Where one handles an error decides what one still has.
 * Try: other transforms: `npm run example -- ladder/10-transform 0.25 backwards shout` (or `acrostic`).
 */
import { type Reactor, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { builtInTransforms, getPoetry, type Transform } from 'couplet/poetry'
import { startPoets } from './00-poets.ts'

class GibberishError extends Error {}

/** A transform that cannot do every poem. */
function typeset(poem: string) {
  const [missing] = poem.match(/[^\x20-\x7e\n]/u) ?? []
  if (missing !== undefined) throw new GibberishError(`there is no ${missing} in the type case`)
  return poem
}

/** The same transform, which gives back the poem as it was if it cannot do it. */
function orElse(transform: (poem: string) => string) {
  return (poem: string) => {
    try {
      return transform(poem)
    } catch (error) {
      if (error instanceof GibberishError) return poem
      throw error
    }
  }
}

export async function main(reactor: Reactor, seconds = '0.25', ...names: string[]) {
  if (names.length === 0) names = ['cummingsify', 'number']
  const transforms = names.map((name): Transform => {
    const nobody = () => {
      throw new GibberishError(`nobody knows how to ${name}`)
    }
    return builtInTransforms.get(name) ?? nobody
  })
  const ports = await startPoets(reactor, seconds)

  for (const press of [typeset, orElse(typeset)]) {
    for (const port of ports.slice(0, 2)) {
      const poem = getPoetry(new TCPClientEndpoint(reactor, '127.0.0.1', port)).addCallback(press)
      for (const transform of transforms) poem.addCallback(transform)
      await poem.addCallbacks(
        (text) => console.log(text),
        (failure) => console.log(`no poem: ${failure.getErrorMessage()}\n`),
      )
    }
  }
}

if (process.argv[1] === import.meta.filename) react(main)
