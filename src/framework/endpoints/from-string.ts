/**
 * Endpoints from the texts that users write: on a command line, in a configuration.
 *
 * Ancestor: `clientFromString` and `serverFromString` of `twisted.internet.endpoints`. Which types there are is a plain
 * Map that is passed in; nothing registers itself.
 */
import type { Reactor } from '../core/reactor.ts'
import { socketDomains, SystemdServerEndpoint } from './adopted.ts'
import { type Description, InvalidEndpoint, parseDescription } from './description.ts'
import { type ArgumentNames, EndpointArguments } from './endpoint-arguments.ts'
import type { ClientEndpoint, ServerEndpoint } from './endpoint.ts'
import { HostnameEndpoint } from './hostname.ts'
import { proxyEndpoint } from './proxy-endpoint.ts'
import { StandardIOEndpoint } from './standard-io.ts'
import { dialArguments, listenArguments, localPort, remotePort } from './tcp-arguments.ts'
import { TCPServerEndpoint } from './tcp.ts'
import { UNIXClientEndpoint, UNIXServerEndpoint } from './unix.ts'

/** How to read one type of endpoint on one side. */
export interface EndpointForm<E> extends ArgumentNames {
  /**
   * Makes the endpoint. What it asks its arguments for and does not get is thrown as InvalidEndpoint.
   *
   * @param read - reads another endpoint of the same side, if an argument is the text of one
   */
  make(reactor: Reactor, args: EndpointArguments, read: (text: string) => E): E
}

/**
 * How to read a prefix: a type of endpoint that changes another one, whose text follows. Its own arguments all need their
 * names; the first one without a name begins the other endpoint.
 */
export interface EndpointPrefix<E> {
  /** How it is written, for people. */
  readonly usage: string
  readonly named: readonly string[]
  /** Makes the endpoint out of the one that follows. Throws as {@link EndpointForm.make} does. */
  wrap(reactor: Reactor, endpoint: E, args: EndpointArguments): E
}

/** One type of endpoint; a side that it does not have is left out. */
export interface EndpointParser {
  readonly client?: EndpointForm<ClientEndpoint> | EndpointPrefix<ClientEndpoint>
  readonly server?: EndpointForm<ServerEndpoint> | EndpointPrefix<ServerEndpoint>
}

/** Types of endpoints by their names, in lower case. */
export type EndpointParsers = ReadonlyMap<string, EndpointParser>

const tcp: EndpointParser = {
  client: {
    usage: 'tcp:HOST:PORT[:timeout=TIME][:bindAddress=IP], as in tcp:localhost:10000',
    positional: ['host', 'port'],
    named: ['timeout', 'bindAddress'],
    make: (reactor, args) => new HostnameEndpoint(reactor, args.text('host'), remotePort(args), dialArguments(args)),
  },
  server: {
    usage: 'tcp:PORT[:interface=IP][:backlog=NUMBER][:reusePort=1], as in tcp:10000:interface=127.0.0.1',
    positional: ['port', 'interface', 'backlog'],
    named: ['reusePort'],
    make: (reactor, args) => new TCPServerEndpoint(reactor, localPort(args), listenArguments(args)),
  },
}

const tcp6: EndpointParser = {
  server: {
    usage: 'tcp6:PORT[:backlog=NUMBER][:interface=IP], as in tcp6:10000; the colons of an IPv6 address are written \\:',
    positional: ['port', 'backlog', 'interface'],
    make: (reactor, args) => {
      const { interface: given = '::', ...options } = listenArguments(args)
      return new TCPServerEndpoint(reactor, localPort(args), { ...options, interface: given })
    },
  },
}

const unix: EndpointParser = {
  client: {
    usage: 'unix:PATH[:timeout=TIME], as in unix:/run/poems',
    positional: ['path'],
    named: ['timeout'],
    make: (reactor, args) =>
      new UNIXClientEndpoint(reactor, args.text('path'), {
        timeout: args.has('timeout') ? args.milliseconds('timeout') : undefined,
      }),
  },
  server: {
    usage: 'unix:PATH[:mode=OCTAL][:backlog=NUMBER], as in unix:/run/poems:mode=660',
    positional: ['address', 'mode', 'backlog'],
    make: (reactor, args) =>
      new UNIXServerEndpoint(reactor, args.text('address'), {
        mode: args.has('mode') ? args.mode('mode') : undefined,
        backlog: args.has('backlog') ? args.wholeNumber('backlog', 1, 65_535) : undefined,
      }),
  },
}

const stdio: EndpointParser = {
  server: { usage: 'stdio:', positional: [], make: (reactor) => new StandardIOEndpoint(reactor) },
}

const systemd: EndpointParser = {
  server: {
    usage: 'systemd:[domain=INET|INET6|UNIX:]index=NUMBER, or name=NAME, as in systemd:domain=INET:index=0',
    positional: ['domain', 'index'],
    named: ['name'],
    make: (reactor, args) =>
      new SystemdServerEndpoint(reactor, {
        domain: args.has('domain') ? args.oneOf('domain', socketDomains) : undefined,
        ...(args.either('index', 'name') === 'name'
          ? { name: args.text('name') }
          : { index: args.wholeNumber('index', 0, 1023) }),
      }),
  },
}

const haproxy: EndpointParser = {
  server: {
    usage: 'haproxy:trusted=IP[/BITS][,…][:timeout=TIME]:ENDPOINT, as in haproxy:trusted=10.0.0.0/8:tcp:8000',
    named: ['trusted', 'timeout'],
    wrap: (reactor, endpoint, args) =>
      proxyEndpoint(endpoint, {
        trusted: args.addressSet('trusted'),
        clock: reactor,
        timeout: args.has('timeout') ? args.milliseconds('timeout') : undefined,
      }),
  },
}

/**
 * The types that come with the framework, but for `tls`, which needs to read files ({@link tlsParsers}).
 * `new Map([...standardParsers, ['mine', …]])` has one more.
 */
export const standardParsers: EndpointParsers = new Map([
  ['tcp', tcp],
  ['tcp6', tcp6],
  ['unix', unix],
  ['stdio', stdio],
  ['systemd', systemd],
  ['haproxy', haproxy],
])

/**
 * Where to connect to, from a text: `tcp:localhost:10000`, `tcp:example.com:80:timeout=5`.
 *
 * @throws InvalidEndpoint if the text is wrong; it says where, and what is allowed
 */
export function clientFromString(
  reactor: Reactor,
  text: string,
  parsers: EndpointParsers = standardParsers,
): ClientEndpoint {
  return make(reactor, parseDescription(text), parsers, 'client', ({ client }) => client)
}

/**
 * Where to listen, from a text: `tcp:10000`, `tcp:0:interface=127.0.0.1`, `haproxy:trusted=10.0.0.0/8:tcp:10000`.
 *
 * @throws InvalidEndpoint if the text is wrong; it says where, and what is allowed
 */
export function serverFromString(
  reactor: Reactor,
  text: string,
  parsers: EndpointParsers = standardParsers,
): ServerEndpoint {
  return make(reactor, parseDescription(text), parsers, 'server', ({ server }) => server)
}

function make<E>(
  reactor: Reactor,
  description: Description,
  parsers: EndpointParsers,
  side: 'client' | 'server',
  formOf: (parser: EndpointParser) => EndpointForm<E> | EndpointPrefix<E> | undefined,
): E {
  const { text, type, rest } = description
  const parser = parsers.get(type.value.toLowerCase())
  const form = parser && formOf(parser)
  if (form === undefined) {
    const known = [...parsers].filter(([, each]) => formOf(each) !== undefined).map(([name]) => name)
    const why = `no ${side} endpoint has the type ${JSON.stringify(type.value)}`
    throw new InvalidEndpoint(text, type.position, why, `there are: ${known.join(', ')}${moreFor(type.value)}`)
  }
  if ('make' in form) {
    const read = (inner: string): E => make(reactor, parseDescription(inner), parsers, side, formOf)
    return form.make(reactor, new EndpointArguments(description, form), read)
  }
  const split = rest.findIndex(({ name }) => name === undefined)
  const inner = rest[split]
  if (inner === undefined) {
    throw new InvalidEndpoint(text, text.length, 'another endpoint is missing', `it is written ${form.usage}`)
  }
  const own = new EndpointArguments({ text, type, rest: rest.slice(0, split) }, { ...form, positional: [] })
  const endpoint = make(reactor, { text, type: inner, rest: rest.slice(split + 1) }, parsers, side, formOf)
  return form.wrap(reactor, endpoint, own)
}

/** What comes with the framework and is not among the {@link standardParsers}. */
function moreFor(type: string): string {
  if (!/^(tls|ssl)$/i.test(type)) return ''
  return '; this one reads files: pass new Map([...standardParsers, ...tlsParsers(readFileSync)]) as well'
}
