/** The grammar of endpoint texts beside Twisted's own: the same text has the same arguments, except where we refuse it. */
import { execFileSync } from 'node:child_process'
import { InvalidEndpoint, quoteStringArgument } from 'couplet'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDescription } from '../../src/framework/endpoints/description.ts'
import { pythonWith } from '../python.ts'

const python = pythonWith(['twisted'], 'python3-twisted')

/** Reads texts, one each, as JSON; answers with what Twisted makes of each, or with the name of its error. */
const program = `
import json, sys
from twisted.internet.endpoints import _parse, quoteStringArgument

def parsed(text):
    try:
        args, kw = _parse(text)
        return {"args": args, "kw": kw, "quoted": quoteStringArgument(text)}
    except Exception as error:
        return {"error": type(error).__name__, "quoted": quoteStringArgument(text)}

json.dump([parsed(text) for text in json.load(sys.stdin)], sys.stdout)
`

interface Parsed {
  readonly args?: readonly string[]
  readonly kw?: Readonly<Record<string, string>>
  readonly error?: string
  readonly quoted: string
}

function twistedOn(texts: readonly string[]): readonly Parsed[] {
  const answer = execFileSync(python!, ['-c', program], { input: JSON.stringify(texts), encoding: 'utf8' })
  return JSON.parse(answer) as Parsed[]
}

/** What we make of the same: of an argument given twice, the last, which EndpointArguments refuses later. */
function ours(text: string): Partial<Parsed> {
  try {
    const { type, rest } = parseDescription(text)
    const args = rest.flatMap(({ name, value }) => (name === undefined ? [value] : []))
    const named = rest.flatMap(({ name, value }) => (name === undefined ? [] : [[name, value] as const]))
    return { args: [type.value, ...args], kw: Object.fromEntries(named) }
  } catch (error) {
    if (error instanceof InvalidEndpoint) return { error: error.message.split('\n')[0]! }
    throw error
  }
}

const meaningful = fc.string({ unit: fc.constantFrom(':', '=', '\\', 'a', 'b', ' ', 'é', '__proto__') })
const likely = fc
  .array(fc.constantFrom(':', '=', '\\:', '\\=', '\\\\', 'tcp', 'host', 'port', '80', '::1', 'timeout=5'))
  .map((pieces) => `tcp:${pieces.join('')}`)
const texts = fc.sample(fc.oneof(meaningful, likely, fc.string(), likely), { numRuns: 800, seed: 20_261_125 })

describe.skipIf(python === undefined)('Twisted', () => {
  it('finds the same arguments in the same text', () => {
    const known = twistedOn(texts)
    let same = 0
    for (const [index, text] of texts.entries()) {
      const twisted = known[index]!
      const us = ours(text)
      if (us.error === undefined && twisted.error === undefined) {
        expect({ text, args: us.args, kw: us.kw }).toEqual({ text, args: twisted.args, kw: twisted.kw })
        same++
      } else if (us.error === undefined) {
        // A name that is no ASCII: there it breaks, here nobody knows it.
        expect([text, twisted.error, Object.keys(us.kw!).join('')]).toEqual([
          text,
          'UnicodeEncodeError',
          expect.stringMatching(/[^ -~]/),
        ])
      } else if (/a backslash at the very end/.test(us.error)) {
        // A StopIteration that became a RuntimeError inside a generator.
        expect({ text, error: twisted.error }).toEqual({ text, error: 'RuntimeError' })
      } else {
        // There, it is the type that is not known, or the first argument without a name.
        expect(us.error).toMatch(/^an endpoint begins with its type/)
      }
    }
    expect(same).toBeGreaterThan(400)
  })

  it('reads what we quote, and we what it quotes, but for the = that it forgets', () => {
    const quoted = texts.map((text) => `x:${quoteStringArgument(text)}:name=${quoteStringArgument(text)}`)
    for (const [index, { args, kw }] of twistedOn(quoted).entries()) {
      expect([args, kw]).toEqual([['x', texts[index]], { name: texts[index] }])
    }
    for (const [index, { quoted }] of twistedOn(texts).entries()) {
      const text = texts[index]!
      const { args, kw } = ours(`x:${quoted}:name=${quoted}`)
      expect(kw).toMatchObject({ name: text })
      if (!text.includes('=')) expect(args).toEqual(['x', text])
    }
  })
})
