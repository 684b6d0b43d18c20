/**
 * From a host name to its addresses, by the operating system's own resolver: the hosts file counts, as everywhere else.
 *
 * Ancestor: `twisted.internet._resolver.GAIResolver`.
 */
import { lookup } from 'node:dns'
import { type IPAddress, ipAddress } from '../core/address.ts'
import { DNSLookupError } from '../core/errors.ts'
import { Deferred } from '../deferred/deferred.ts'
import { tcpAddress } from './socket-addresses.ts'
import { lookupError } from './system-errors.ts'

/**
 * What `reactor.resolve` does. The addresses come in the order of the resolver, who knows what this machine can reach.
 * Nothing stops a lookup that has begun; one that was cancelled ends unheard.
 */
export function resolveHost(host: string): Deferred<readonly IPAddress[]> {
  const found = new Deferred<readonly IPAddress[]>()
  const address = ipAddress(host)
  if (address !== undefined) {
    found.callback([address])
    return found
  }
  try {
    // Node takes the empty name for an answer without an address.
    if (host === '') throw new RangeError('the name is empty')
    lookup(host, { all: true, verbatim: true }, (error, addresses) => {
      // Without a canceller, a Deferred that was cancelled takes this one late result in silence.
      if (error !== null) found.errback(lookupError(host, error))
      else fire(found, host, addresses)
    })
  } catch (error) {
    found.errback(new DNSLookupError(host, 'this cannot be the name of a host', { cause: error }))
  }
  return found
}

function fire(
  found: Deferred<readonly IPAddress[]>,
  host: string,
  answers: readonly { address: string; family: number }[],
): void {
  const addresses = answers.flatMap(({ address }) => tcpAddress(address, 0) ?? [])
  if (addresses.length === 0) found.errback(new DNSLookupError(host, 'the name has no address'))
  else found.callback(addresses)
}
