/**
 * TLS endpoints as text. Their certificates are in files, and only the program knows how to read one: it hands in how.
 *
 * Ancestor: `_parseSSL`, `_parseClientSSL` and `_parseClientTLS` of `twisted.internet.endpoints`.
 */
import type { EndpointArguments, FileReader } from './endpoint-arguments.ts'
import type { EndpointParser, EndpointParsers } from './from-string.ts'
import { TCPClientEndpoint, TCPServerEndpoint } from './tcp.ts'

/**
 * The types `tls` and `ssl`, which are the same: `tls:poems.example:443:ca=authority.pem`,
 * `tls:443:privateKey=key.pem:certKey=certificate.pem`. All files are PEM, and are read when the text is.
 *
 * @param read reads a whole file
 * @example
 * const parsers = new Map([...standardParsers, ...tlsParsers(readFileSync)])
 * const endpoint = clientFromString(reactor, 'tls:poems.example:443', parsers)
 */
export function tlsParsers(read: FileReader): EndpointParsers {
  const file = (args: EndpointArguments, name: string): string | Uint8Array | undefined =>
    args.has(name) ? args.contents(name, read) : undefined
  /** One file may hold both, the key and the certificate. */
  const identity = (args: EndpointArguments) => {
    const key = file(args, 'privateKey')
    return { key, cert: file(args, 'certKey') ?? key }
  }
  const tls: EndpointParser = {
    client: {
      usage:
        'tls:HOST:PORT[:timeout=TIME][:bindAddress=IP][:serverName=NAME][:ca=FILE][:privateKey=FILE][:certKey=FILE]' +
        '[:alpn=NAME,…], as in tls:poems.example:443',
      positional: ['host', 'port'],
      named: ['timeout', 'bindAddress', 'serverName', 'ca', 'privateKey', 'certKey', 'alpn'],
      make: (reactor, args) =>
        new TCPClientEndpoint(reactor, args.text('host'), args.wholeNumber('port', 1, 65_535), {
          timeout: args.has('timeout') ? args.milliseconds('timeout') : undefined,
          bindAddress: args.has('bindAddress') ? args.ipAddress('bindAddress') : undefined,
          tls: {
            ...identity(args),
            serverName: args.has('serverName') ? args.text('serverName') : args.text('host'),
            ca: file(args, 'ca'),
            alpn: args.has('alpn') ? args.list('alpn') : undefined,
          },
        }),
    },
    server: {
      usage:
        'tls:PORT[:interface=IP][:backlog=NUMBER]:privateKey=FILE[:certKey=FILE][:ca=FILE][:alpn=NAME,…]; with ca, only' +
        ' clients whose certificate it has signed are let in',
      positional: ['port', 'interface', 'backlog'],
      named: ['privateKey', 'certKey', 'ca', 'alpn'],
      make: (reactor, args) =>
        new TCPServerEndpoint(reactor, args.wholeNumber('port', 0, 65_535), {
          interface: args.has('interface') ? args.ipAddress('interface').host : undefined,
          backlog: args.has('backlog') ? args.wholeNumber('backlog', 1, 65_535) : undefined,
          tls: {
            key: args.contents('privateKey', read),
            cert: identity(args).cert,
            ca: file(args, 'ca'),
            requestCert: args.has('ca'),
            alpn: args.has('alpn') ? args.list('alpn') : undefined,
          },
        }),
    },
  }
  return new Map([
    ['tls', tls],
    ['ssl', tls],
  ])
}
