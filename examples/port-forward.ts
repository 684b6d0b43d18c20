/**
 * A port forwarder: run it with `npm run example -- port-forward tcp:8000:interface=127.0.0.1 tcp:localhost:10000`. Its
 * two endpoints are texts, so either side may be TLS, a socket in the file system, or behind a proxy: `--help` has more.
 *
 * Look at what is not here: nothing about buffers. Each end of a forward is the other's producer, so a slow reader slows
 * the sender and costs no memory. Try: tell the server for whom you connect (`clientFactory`, `sendProxyHeader`).
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  clientFromString,
  idleTimeout,
  InvalidEndpoint,
  limitConnections,
  portForward,
  serverFromString,
  setReporter,
  standardParsers,
  tlsParsers,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'

const help = `\
Usage: npm run example -- port-forward [options] LISTEN CONNECT

Whoever connects to LISTEN talks to CONNECT. Both are endpoints:

  LISTEN    tcp:PORT[:interface=IP]   tls:PORT:privateKey=FILE:certKey=FILE   unix:PATH   systemd:name=NAME
            haproxy:trusted=IP:LISTEN
  CONNECT   tcp:HOST:PORT   tls:HOST:PORT[:ca=FILE]   unix:PATH

Options:
  --max-clients N     so many at once (1000); more are refused
  --idle SECONDS      close what has been silent for so long (never)
  --help

Examples, after npm run example -- port-forward:
  tcp:8000:interface=127.0.0.1 tls:poems.example:443     speaks TLS for those who cannot
  tls:443:privateKey=key.pem:certKey=cert.pem unix:/run/poems     and takes it off

Ctrl-C ends it: what is being forwarded has 10 s to finish, and a second Ctrl-C ends it at once. It exits with 0 if
all was finished, 1 if it could not listen, 2 if it was called wrongly, 130 or 143 if it was ended before.
`

const parsers = new Map([...standardParsers, ...tlsParsers(readFileSync)])

/** The command line is wrong; `react` says so and ends with 2. */
class UsageError extends Error {
  readonly exitCode = 2
}

function options(argv: string[]) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { 'max-clients': { type: 'string' }, idle: { type: 'string' }, help: { type: 'boolean' } },
  })
  const [listen, connect, ...more] = positionals
  const wrong = listen === undefined || connect === undefined || more.length > 0
  if (wrong && values.help !== true) throw new Error(`two endpoints are needed, not ${positionals.length}`)
  return {
    help: values.help === true,
    listen: listen ?? '',
    connect: connect ?? '',
    maxClients: Number(values['max-clients'] ?? 1000),
    idle: values.idle === undefined ? undefined : Number(values.idle) * 1000,
  }
}

/** Wrong is what the text of the command says; what the world answers later is another matter. */
function orUsageError<T>(f: () => T): T {
  try {
    return f()
  } catch (error) {
    const why = error instanceof InvalidEndpoint ? '' : ' (--help says how it is called)'
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}${why}`)
  }
}

react(async (reactor, ...argv) => {
  const wanted = orUsageError(() => options(argv))
  if (wanted.help) {
    process.stdout.write(help)
    return
  }
  const { factory, endpoint, policies } = orUsageError(() => ({
    factory: new portForward.ProxyFactory(clientFromString(reactor, wanted.connect, parsers)),
    endpoint: serverFromString(reactor, wanted.listen, parsers),
    policies: [
      limitConnections(wanted.maxClients),
      ...(wanted.idle === undefined ? [] : [idleTimeout(reactor, wanted.idle)]),
    ],
  }))
  // One line for each client that could not be served; an operator needs no stacks.
  setReporter(({ what, error }) => console.error(`${what}: ${error instanceof Error ? error.message : String(error)}`))
  const port = await endpoint.listen(withPolicies(factory, ...policies))
  console.log(`listening on ${port.host}, forwarding to ${String(factory.endpoint)}`)
  await reactor.whenStopped()
  // The port knows of the clients' side alone; the last bytes may still be on their way to the other.
  await factory.whenIdle()
})
