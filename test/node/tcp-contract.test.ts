/** The contract of transports, over real TCP connections of both kinds. */
import { networkInterfaces } from 'node:os'
import { IPv6Address } from 'couplet'
import { transportContract } from 'couplet/testing'
import { describe, it } from 'vitest'
import { Loopback } from './loopback.ts'

const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

describe('a TCP connection over IPv4', () => {
  transportContract(() => new Loopback(), { describe, it })
})

// Said loudly: a machine without IPv6 has not shown that it works.
describe.skipIf(!hasIPv6)(`a TCP connection over IPv6${hasIPv6 ? '' : ': this machine has no ::1'}`, () => {
  const anywhere = (): IPv6Address => new IPv6Address('TCP', '::1', 0)
  transportContract(() => new Loopback(undefined, { anywhere }), { describe, it })
})
