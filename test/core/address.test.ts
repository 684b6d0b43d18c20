/** Addresses: read strictly, compared by value, printed as people write them. */
import {
  type Address,
  DescriptorAddress,
  IPv4Address,
  IPv6Address,
  ipAddress,
  ProcessAddress,
  StandardIOAddress,
  UNIXAddress,
} from 'couplet'
import * as fc from 'fast-check'
import { isIP } from 'node:net'
import { describe, expect, it } from 'vitest'

const versions: Record<string, number> = { IPv4: 4, IPv6: 6 }
const kindOf = (text: string): number => versions[ipAddress(text)?.kind ?? ''] ?? 0

describe('ipAddress', () => {
  it('takes what Node takes, for text that looks like an address', () => {
    const group = fc.constantFrom('', '0', '1', 'ab', 'FFFF', '12345', 'g', '1.2.3.4', '255.255.255.255', '256.1.1.1')
    const ipv6Like = fc.array(group, { maxLength: 10 }).map((groups) => groups.join(':'))
    const octet = fc.oneof(fc.nat(300).map(String), fc.constantFrom('', '00', '01', '-1', '1e1', '0x1'))
    const ipv4Like = fc.array(octet, { minLength: 3, maxLength: 5 }).map((octets) => octets.join('.'))
    const anything = fc.string({ unit: fc.constantFrom(...'0159afAFg:.:.% \n'.split('')), maxLength: 48 })
    fc.assert(
      fc.property(fc.oneof(ipv6Like, ipv4Like, anything, fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
        // Zones are where Node's own versions differ from each other.
        fc.pre(!text.includes('%'))
        expect([text, kindOf(text)]).toEqual([text, isIP(text)])
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['::', '::1', '1::', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '::ffff:192.0.2.1', '1:2:3:4:5:6:1.2.3.4'])(
    'takes %s',
    (text) => {
      expect(ipAddress(text, 7)).toEqual(new IPv6Address('TCP', text, 7))
    },
  )

  it.each([
    '',
    'localhost',
    '127.1',
    '0127.0.0.1',
    '127.0.0.1 ',
    '127.0.0.1\n',
    '[::1]',
    ':',
    ':::',
    '1::2::3',
    '::%',
    '1:2:3:4::5:6:7:8',
    '1.2.3.4::',
  ])('does not take %j', (text) => {
    expect(ipAddress(text)).toBeUndefined()
  })

  it('writes hexadecimal small, and leaves the zone as it is', () => {
    expect(ipAddress('FE80::ABCD%Eth0')?.host).toBe('fe80::abcd%Eth0')
  })

  it('takes the port and the type', () => {
    expect(ipAddress('127.0.0.1', 53, 'UDP')).toEqual(new IPv4Address('UDP', '127.0.0.1', 53))
  })
})

describe('an address', () => {
  const all: readonly Address[] = [
    new IPv4Address('TCP', '127.0.0.1', 80),
    new IPv4Address('TCP', '127.0.0.1', 81),
    new IPv4Address('TCP', '127.0.0.2', 80),
    new IPv4Address('UDP', '127.0.0.1', 80),
    new IPv6Address('TCP', '::1', 80),
    new IPv6Address('TCP', '::1', 81),
    new IPv6Address('UDP', '::1', 80),
    new UNIXAddress('/run/poem'),
    new UNIXAddress(''),
    new StandardIOAddress(),
    new ProcessAddress('cat'),
    new ProcessAddress('cat', ['poem']),
    new ProcessAddress('cat', ['po', 'em']),
    new DescriptorAddress(3),
    new DescriptorAddress(4),
  ]

  it('equals itself and a copy, and no other', () => {
    for (const [index, one] of all.entries()) {
      const copy: Address = Object.assign(Object.create(Object.getPrototypeOf(one) as object), one) as Address
      expect(one.equals(copy)).toBe(true)
      expect(all.filter((other) => one.equals(other))).toEqual([all[index]])
    }
  })

  it('is printed so that people can read it and tell it from others', () => {
    expect(all.map(String)).toEqual([
      '127.0.0.1:80',
      '127.0.0.1:81',
      '127.0.0.2:80',
      '127.0.0.1:80',
      '[::1]:80',
      '[::1]:81',
      '[::1]:80',
      'unix:/run/poem',
      'unix:(unnamed)',
      'stdio',
      'process:["cat"]',
      'process:["cat","poem"]',
      'process:["cat","po","em"]',
      'descriptor:3',
      'descriptor:4',
    ])
  })

  it.each([-1, 65_536, 0.5, NaN, Infinity])('has no port %d', (port) => {
    expect(() => new IPv4Address('TCP', '127.0.0.1', port)).toThrow(RangeError)
    expect(() => new IPv6Address('TCP', '::1', 80).withPort(port)).toThrow(`not ${port}`)
  })

  it('is the same host at another port', () => {
    expect(new IPv4Address('UDP', '127.0.0.1', 0).withPort(65_535)).toEqual(new IPv4Address('UDP', '127.0.0.1', 65_535))
    expect(new IPv6Address('TCP', '::1', 1).withPort(0)).toEqual(new IPv6Address('TCP', '::1', 0))
  })
})
