/**
 * Between Node's way to say where a socket is, a text and a number, and our Addresses.
 */
import { isIP, type Socket } from 'node:net'
import { type IPAddress, IPv4Address, IPv6Address, UNIXAddress } from '../core/address.ts'
import { handleOf } from './in-handle.ts'

/** Where a socket in the file system is that nobody has given a path: a client's, for one. */
export const unnamed = new UNIXAddress('')

/** The address that Node describes, or `undefined` if it is not one. */
export function tcpAddress(host: string | undefined, port: number | undefined): IPAddress | undefined {
  if (host === undefined || port === undefined) return undefined
  switch (isIP(host)) {
    case 4:
      return new IPv4Address('TCP', host, port)
    case 6:
      return new IPv6Address('TCP', host, port)
    default:
      return undefined
  }
}

/**
 * Where the peer of a TCP socket is, or `undefined` if it has gone. `socket.remoteAddress` says the same, and keeps it:
 * 88 bytes for as long as the connection lives.
 */
export function peerAddress(socket: Socket): IPAddress | undefined {
  const handle = handleOf(socket)
  if (handle === undefined || !isAskable(handle)) return tcpAddress(socket.remoteAddress, socket.remotePort)
  const name: PeerName = {}
  return handle.getpeername(name) === 0 ? tcpAddress(name.address, name.port) : undefined
}

interface PeerName {
  readonly address?: string
  readonly port?: number
}

function isAskable(handle: object): handle is { getpeername(out: PeerName): number } {
  return 'getpeername' in handle
}
