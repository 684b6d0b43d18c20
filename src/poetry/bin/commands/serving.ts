/**
 * What the three servers have in common: where they listen, what they say when they do, and how they end.
 *
 * Ancestor: `twistd`, and the `listenTCP` at the end of each of krondo's servers.
 */
import { type InlineGenerator, type Reactor, type ServerEndpoint, serverFromString, TCPServerEndpoint } from 'couplet'
import { type Offer, PoetryServer } from '../../poetry-server.ts'
import { type CommandLine, textsOf, UsageError, wholeNumber } from './command.ts'
import { endpointOf, parsers } from './sources.ts'
import { exitCode, type ExitCode } from './exit-codes.ts'
import type { World } from './world.ts'

/** Options of every server. */
export const servingOptions = {
  port: { type: 'string' },
  iface: { type: 'string' },
  listen: { type: 'string', multiple: true },
} as const

/** What `--help` says about them. */
export const servingHelp = `\
  --iface ADDRESS   the IP address to listen at (127.0.0.1)
  --listen ENDPOINT
                    listen there instead, as in unix:/tmp/poem or tls:8443:privateKey=key.pem;
                    where there are several poems, give one for each`

/** So many clients may come at the same moment; a kernel that has no room for one lets it wait for a second. */
const backlog = 4096

/**
 * Milliseconds that clients get to take the rest of what they came for when the server ends; then they are cut off, with
 * a reset. Less than the 5 s that `react` gives the whole program, so that this is an end in good order.
 */
const drainTime = 4000

/** Where to listen for so many offers. @throws UsageError */
export function placesOf({ options }: CommandLine, reactor: Reactor, first: number, count: number): ServerEndpoint[] {
  const listen = textsOf(options['listen'])
  if (listen.length > 0) {
    if (options['port'] !== undefined || options['iface'] !== undefined) {
      throw new UsageError('--listen and --port or --iface exclude each other')
    }
    if (listen.length !== count) {
      throw new UsageError(`there are ${count} to listen for and ${listen.length} --listen: give one for each`)
    }
    return listen.map((text) => endpointOf(() => serverFromString(reactor, text, parsers)))
  }
  const port = wholeNumber('--port', String(options['port'] ?? first), 0, 65_535)
  if (port > 0 && port + count - 1 > 65_535) {
    throw new UsageError(`${count} poems from port ${port} on would need ports above 65535`)
  }
  const at = String(options['iface'] ?? '127.0.0.1')
  const place = (index: number): ServerEndpoint =>
    new TCPServerEndpoint(reactor, port === 0 ? 0 : port + index, { interface: at, backlog })
  return Array.from({ length: count }, (_, index) => place(index))
}

/**
 * Serves until the program is to end, and then lets the clients of the moment finish.
 *
 * @param about is said once everything is open, before "Ctrl-C ends it"
 */
export function* serve(offers: readonly Offer[], about: string, { reactor, stdout }: World): InlineGenerator<ExitCode> {
  const server = new PoetryServer(offers, { drain: drainTime })
  try {
    yield* server.startService()
    for (const [index, { port }] of server.ports.entries()) {
      stdout.write(`listening on ${port?.host}: ${offers[index]?.name}\n`)
    }
    stdout.write(`${about}; Ctrl-C ends it\n`)
    yield* reactor.whenStopped()
  } finally {
    yield* server.stopService()
  }
  return exitCode.ok
}
