/**
 * Where a command gets its poems from, as it was written: `10000`, `localhost:10000`, `unix:/run/poems`,
 * `tls:poems.example:443`.
 *
 * Ancestor: the addresses of krondo's clients, and `clientFromString` of `twisted.internet.endpoints`.
 */
import { readFileSync } from 'node:fs'
import {
  type ClientEndpoint,
  clientFromString,
  type Deferred,
  type EndpointParsers,
  HostnameEndpoint,
  InvalidEndpoint,
  type Reactor,
  standardParsers,
  tlsParsers,
} from 'couplet'
import { UsageError } from './command.ts'
import { exitCode } from './exit-codes.ts'

/** Somewhere to get poems from. */
export interface Source {
  /** For people. */
  readonly name: string
  readonly endpoint: ClientEndpoint
}

/** All types of endpoints; those with certificates read them from files. */
export const parsers: EndpointParsers = new Map([...standardParsers, ...tlsParsers((path) => readFileSync(path))])

/** @throws UsageError unless it is `PORT`, `HOST:PORT`, `[ADDRESS]:PORT` or an endpoint */
export function sourceOf(text: string, reactor: Reactor): Source {
  const [, type = ''] = /^([^:]*):/.exec(text) ?? []
  if (parsers.has(type.toLowerCase())) {
    return { name: text, endpoint: endpointOf(() => clientFromString(reactor, text, parsers)) }
  }
  const [, address, name, digits = ''] = /^(?:(?:\[([^\][]+)\]|([^:\][]+)):)?(\d{1,5})$/.exec(text) ?? []
  const host = address ?? name ?? '127.0.0.1'
  const port = Number(digits)
  if (digits === '' || port < 1 || port > 65_535) {
    throw new UsageError(`"${text}" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH`)
  }
  const shown = address === undefined ? host : `[${host}]`
  return { name: `${shown}:${port}`, endpoint: new HostnameEndpoint(reactor, host, port) }
}

/** Makes an endpoint from a text; what is wrong with the text is the user's to correct. */
export function endpointOf<E>(make: () => E): E {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof InvalidEndpoint)) throw error
    // Its second and third line point at the place, which one line cannot.
    const [why = '', , , hint = ''] = error.message.split('\n').map((line) => line.trim())
    throw new UsageError(`"${error.text}": ${why}${hint === '' ? '' : ` (${hint})`}`, { cause: error })
  }
}

/** What was asked for took longer than somebody wanted to wait. */
class TookTooLong extends Error {
  static {
    this.prototype.name = 'TookTooLong'
  }
  readonly exitCode = exitCode.tookTooLong
}

/** Gives up what `name` is asked for when the time is over; without a time, never. */
export function within<T>(work: Deferred<T>, ms: number | undefined, reactor: Reactor, name: string): Deferred<T> {
  if (ms === undefined) return work
  return work.addTimeout(ms, reactor, () => {
    throw new TookTooLong(`${name}: not done within ${ms / 1000} s`)
  })
}
