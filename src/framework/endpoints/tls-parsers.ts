/**
 * TLS endpoints as text. Their certificates are in files, and only the program knows how to read one: it hands in how.
 *
 * Ancestor: `_parseSSL`, `_parseClientSSL` and `_parseClientTLS` of `twisted.internet.endpoints`.
 */
import type { EndpointArguments, FileReader } from './endpoint-arguments.ts'
import type { EndpointParser, EndpointParsers } from './from-string.ts'
import { HostnameEndpoint } from './hostname.ts'
import { dialArguments, listenArguments, localPort, remotePort } from './tcp-arguments.ts'
import { TCPServerEndpoint } from './tcp.ts'
import { wrapClientTLS } from './wrap-client-tls.ts'

/**
 * The types `tls` and `ssl`, which are the same: `tls:poems.example:443:ca=authority.pem`,
 * `tls:443:privateKey=key.pem:certKey=certificate.pem`. All files are PEM, and are read when the text is. A client may
 * name another endpoint to speak TLS over: `tls:poems.example:endpoint=unix\:/run/tunnel`.
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
    const key = args.has('certKey') ? args.contents('privateKey', read) : file(args, 'privateKey')
    return { key, cert: file(args, 'certKey') ?? key }
  }
  const tls: EndpointParser = {
    client: {
      usage:
        'tls:HOST:PORT[:timeout=TIME][:bindAddress=IP][:serverName=NAME][:ca=FILE][:privateKey=FILE][:certKey=FILE]' +
        '[:alpn=NAME,…], as in tls:poems.example:443; or tls:HOST:endpoint=TEXT[:…], for TLS over another endpoint',
      positional: ['host', 'port'],
      named: ['timeout', 'bindAddress', 'serverName', 'ca', 'privateKey', 'certKey', 'alpn', 'endpoint'],
      make: (reactor, args, readEndpoint) => {
        const host = args.text('host')
        const tls = {
          ...identity(args),
          serverName: args.has('serverName') ? args.text('serverName') : host,
          ca: file(args, 'ca'),
          alpn: args.has('alpn') ? args.list('alpn') : undefined,
        }
        if (!args.has('endpoint')) {
          return new HostnameEndpoint(reactor, host, remotePort(args), { ...dialArguments(args), tls })
        }
        args.refuse('timeout', 'bindAddress')
        return wrapClientTLS(tls, readEndpoint(args.text('endpoint')))
      },
    },
    server: {
      usage:
        'tls:PORT[:interface=IP][:backlog=NUMBER]:privateKey=FILE[:certKey=FILE][:ca=FILE][:alpn=NAME,…]; with ca, only' +
        ' clients whose certificate it has signed are let in',
      positional: ['port', 'interface', 'backlog'],
      named: ['privateKey', 'certKey', 'ca', 'alpn'],
      make: (reactor, args) =>
        new TCPServerEndpoint(reactor, localPort(args), {
          ...listenArguments(args),
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
