/** Boxes that are almost right, given to a peer with calls under way: what must hold, however wrong they are. */
import { amp, ConnectionAborted, type ConnectionClosed, Deferred, join, RemoteProtocolError } from 'couplet'
import { connected } from 'couplet/testing'
import { box } from './wire-boxes.ts'

/** Numbers below `limit` that look like chance and are the same each time (mulberry32). */
function sequence(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

const values = {
  integer: amp.Integer(),
  number: amp.Integer({ as: 'number' }).optional(),
  date: amp.DateTime().optional(),
  float: amp.Float().optional(),
  decimal: amp.Decimal().optional(),
  list: amp.ListOf(amp.Unicode()).optional(),
  boxes: amp.AmpList({ x: amp.Boolean() }).optional(),
}
const Everything = amp.command('Everything', { arguments: values, response: values })
const Later = amp.command('Later')
const Declared = amp.command('Declared', { errors: { RANGE: RangeError } })

const locator = new amp.CommandLocator()
  .respond(Everything, (given) => given)
  .respond(Later, () => new Deferred<Record<string, never>>())
  .respond(Declared, () => {
    throw new RangeError('as declared')
  })

const some = {
  integer: '-12',
  date: '2012-01-23T12:34:56.054321-01:23',
  float: '1e+16',
  decimal: 'NaN',
  list: '\0\x01a\0\x02bc\0\0',
  boxes: '\0\x01x\0\x04True\0\0\0\x01x\0\x05False\0\0',
}
const originals: readonly Uint8Array[] = [
  join([box({ _ask: '1', _command: 'Everything', ...some }), box({ _answer: '1', ...some })]),
  join([box({ _answer: '2', ...some }), box({ _error: '1', _error_code: 'TEAPOT', _error_description: 'short' })]),
  join([box({ _ask: 'x', _command: 'Later' }), box({ _ask: 'y', _command: 'Declared' }), box({ _command: 'Later' })]),
  join([box({ _error: '2' }), box({ _ask: '3', _command: '__proto__', constructor: 'x' }), box({ number: '12' })]),
]

/** What a peer can make us report: a command that nobody answers, or whose error nobody waits for. */
export function isExpected(error: unknown): boolean {
  return error instanceof RangeError || (error as Error).message.startsWith('Unhandled Command: ')
}

/** What comes of one input in chunks of `size` bytes: the answers, then how it ended. */
function outcome(bytes: Uint8Array, size: number): { answers: string; why: unknown } {
  const peer = new amp.AMP(locator)
  let reason: ConnectionClosed | undefined
  const connectionLost = peer.connectionLost.bind(peer)
  peer.connectionLost = (why) => {
    reason = why
    return connectionLost(why)
  }
  const transport = connected(peer)
  const settled = [0, 0]
  for (const call of [0, 1]) {
    peer.callRemote(Everything, { integer: 1n }).addBoth(() => void settled[call]!++)
  }
  transport.clear()
  for (let start = 0; start < bytes.length; start += size) transport.receive(bytes.slice(start, start + size))
  const pending = peer.inputPending()
  if (pending > bytes.length) throw new Error(`${pending} bytes are kept of ${bytes.length}`)
  transport.end()
  if (settled.some((times) => times !== 1)) throw new Error(`calls were settled ${settled.join(' and ')} times`)
  const why = reason?.cause
  if (reason instanceof ConnectionAborted && !(why instanceof RemoteProtocolError)) throw new Error(`ended by ${why}`)
  return { answers: Buffer.from(transport.value()).toString('latin1'), why: String(why) }
}

/**
 * Runs so many inputs.
 *
 * @returns how many were refused
 * @throws if one of them led to anything but answers and typed errors, or to something else in other chunks
 */
export function runFuzz(runs: number, seed: number): { refused: number } {
  const chance = sequence(seed)
  let refused = 0
  for (let run = 0; run < runs; run++) {
    const original = originals[chance(originals.length)]!
    const bytes = original.slice(0, chance(4) === 0 ? 1 + chance(original.length) : undefined)
    for (let count = chance(4); count > 0; count--) {
      // Small numbers most of all, because lengths are.
      bytes[chance(bytes.length)] = chance(2) === 0 ? chance(256) : chance(8)
    }
    const whole = outcome(bytes, bytes.length)
    if (/Amp|Too/.test(String(whole.why))) refused++
    if (run % 10 > 0) continue
    const again = outcome(bytes, 1 + chance(9))
    if (again.answers !== whole.answers || again.why !== whole.why) {
      throw new Error(`${Buffer.from(bytes).toString('hex')} in chunks: ${again.why}, at once: ${whole.why}`)
    }
  }
  return { refused }
}
