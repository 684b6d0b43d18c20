/**
 * The arguments that all texts of endpoints over TCP take: `tcp:`, `tcp6:`, `tls:`.
 *
 * Ancestor: `_parseTCP` and `_parseClientTCP` of `twisted.internet.endpoints`, which the parsers for SSL call too.
 */
import type { DialOptions, ListenTCPOptions } from '../core/reactor.ts'
import type { EndpointArguments } from './endpoint-arguments.ts'

/** The port to connect to. */
export function remotePort(args: EndpointArguments): number {
  return args.wholeNumber('port', 1, 65_535)
}

/** The port to listen at; 0 takes any free one. */
export function localPort(args: EndpointArguments): number {
  return args.wholeNumber('port', 0, 65_535)
}

/** `timeout` and `bindAddress`. */
export function dialArguments(args: EndpointArguments): DialOptions {
  return {
    timeout: args.has('timeout') ? args.milliseconds('timeout') : undefined,
    bindAddress: args.has('bindAddress') ? args.ipAddress('bindAddress') : undefined,
  }
}

/** `interface`, `backlog` and `reusePort`. */
export function listenArguments(args: EndpointArguments): ListenTCPOptions {
  return {
    interface: args.has('interface') ? args.ipAddress('interface').host : undefined,
    backlog: args.has('backlog') ? args.wholeNumber('backlog', 1, 65_535) : undefined,
    reusePort: args.has('reusePort') ? args.wholeNumber('reusePort', 0, 1) === 1 : undefined,
  }
}
