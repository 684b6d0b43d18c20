/**
 * Between Node's way to say where a socket is, a text and a number, and our Addresses.
 */
import { isIP } from 'node:net'
import { type IPAddress, IPv4Address, IPv6Address } from '../core/address.ts'

/** The address that Node describes, or `undefined` if it is not one: a socket whose peer has gone has none. */
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
