/**
 * What the operating system says, in words for people: its error codes become this framework's errors.
 *
 * Ancestor: `getConnectError` and the errno table of `twisted.internet.error`.
 */
import type { Address } from '../core/address.ts'
import {
  CannotListenError,
  codeOf,
  ConnectBindError,
  ConnectError,
  ConnectionRefusedError,
  DNSLookupError,
  NoRouteError,
  TCPTimedOutError,
} from '../core/errors.ts'

const tooManyFiles = 'too many open files (see `ulimit -n`)'

export { codeOf }

/** An attempt to connect to `address` failed with one of Node's errors. */
export function connectError(address: Address, error: Error): ConnectError {
  const options = { cause: error }
  if (Reflect.get(error, 'syscall') === 'bind') return bindError(address, error)
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return new ConnectionRefusedError(address, options)
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
      return new NoRouteError(address, options)
    case 'ETIMEDOUT':
      return new TCPTimedOutError(address, undefined, options)
    case 'EADDRNOTAVAIL':
      return bindError(address, error)
    case 'EMFILE':
    case 'ENFILE':
      return new ConnectError(address, tooManyFiles, options)
    case 'ECONNRESET':
      return new ConnectError(address, 'the peer reset the connection at once (is it full?)', options)
    case 'ENOENT':
      return new ConnectError(address, 'there is no such socket (is the server running?)', options)
    case 'EAGAIN':
      return new ConnectError(address, 'too many connections wait for the server to take them', options)
    case 'EPROTOTYPE':
    case 'ENOTSOCK':
      return new ConnectError(address, 'what is at this path is not a socket for connections', options)
    case 'EACCES':
    case 'EPERM':
      return new ConnectError(
        address,
        `not permitted (${'path' in address ? "see the socket's mode" : 'does a firewall forbid it?'})`,
        options,
      )
    case 'EAFNOSUPPORT':
      return new ConnectError(address, 'this machine does not speak this kind of address', options)
    default:
      return new ConnectError(address, `could not connect: ${error.message}`, options)
  }
}

function bindError(address: Address, error: Error): ConnectBindError {
  const inUse = codeOf(error) === 'EADDRINUSE'
  const why = inUse ? 'the local address is in use' : 'no local address to connect from (or none is left)'
  return new ConnectBindError(address, why, { cause: error })
}

/** Listening at `address` failed with one of Node's errors. */
export function listenError(address: Address, error: Error): CannotListenError {
  return new CannotListenError(address, whyNotListening(address, error), { cause: error })
}

function whyNotListening(address: Address, error: Error): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return 'port' in address
        ? `port ${address.port} is in use (is the server running already? port 0 takes any free port)`
        : 'the address is in use (is the server running already?)'
    case 'EACCES':
    case 'EPERM':
      return 'port' in address && address.port < 1024
        ? `not permitted (ports below 1024 are the administrator's)`
        : 'path' in address
          ? 'not permitted (may this user write to the directory?)'
          : 'not permitted'
    case 'ENOENT':
      return 'the directory of this path does not exist'
    case 'ENOTDIR':
      return 'a part of this path is a file, not a directory'
    case 'EADDRNOTAVAIL':
      return 'no network interface of this machine has this address'
    case 'EAFNOSUPPORT':
      return 'this machine does not speak this kind of address'
    case 'EMFILE':
    case 'ENFILE':
      return tooManyFiles
    case 'ENOTSUP':
      return 'this system cannot do it (reusePort: Linux 3.9, FreeBSD 12, DragonFly BSD 3.6, Solaris 11.4, AIX 7.2.5)'
    default:
      return error.message
  }
}

/** Why an established connection broke. */
export function whyLost(error: Error): string {
  switch (codeOf(error)) {
    case 'ECONNRESET':
      return 'the peer reset it'
    case 'EPIPE':
      return 'the peer had closed it and takes no more'
    case 'ETIMEDOUT':
      return 'the peer does not answer any more'
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
      return 'there is no way to the peer any more'
    default:
      return error.message
  }
}

/** Why a datagram was lost. */
export function whyNotSent(error: Error): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return 'nobody listens there (is the server running?)'
    case 'EMSGSIZE':
      return 'it is too long for the way there'
    case 'EACCES':
      return 'not permitted (to write to everybody in a network needs broadcastAllowed)'
    case 'EPERM':
      return 'not permitted (does a firewall forbid it?)'
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
      return 'no route to this address (is the network up?)'
    case 'EINVAL':
      return 'this port cannot send there (is it bound to an interface that has no way there?)'
    default:
      return error.message
  }
}

/** Looking up `host` failed with one of Node's errors. */
export function lookupError(host: string, error: Error): DNSLookupError {
  const options = { cause: error }
  switch (codeOf(error)) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return new DNSLookupError(host, undefined, options)
    case 'EAI_AGAIN':
      return new DNSLookupError(host, 'no name server answered (is the network up? it may work later)', options)
    default:
      return new DNSLookupError(host, `the name could not be looked up: ${error.message}`, options)
  }
}
