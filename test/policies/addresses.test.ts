import * as fc from 'fast-check'
import { isIP, BlockList } from 'node:net'
import type { IPv4Address, IPv6Address } from 'couplet'
import { addressSet, ipAddress, ProcessAddress, UNIXAddress } from 'couplet'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../src/framework/policies/crc32c.ts'
import { bytesOfIP, mapped, masked, textOfIP, unmapped } from '../../src/framework/policies/ip-bytes.ts'

const ipv4 = fc.ipV4()
const ipv6 = fc.ipV6().filter((text) => ipAddress(text) !== undefined)
const tcp = (host: string): IPv4Address | IPv6Address => ipAddress(host, 80)!

describe('the bytes of an IP address', () => {
  it.each([
    ['1.2.3.4', [1, 2, 3, 4]],
    ['::', Array<number>(16).fill(0)],
    ['::1', [...Array<number>(15).fill(0), 1]],
    ['fe80::1%eth0', [0xfe, 0x80, ...Array<number>(13).fill(0), 1]],
    ['::ffff:192.0.2.1', [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 1]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ['64:ff9b::192.0.2.33', [0, 0x64, 0xff, 0x9b, ...Array<number>(8).fill(0), 192, 0, 2, 33]],
  ])('of %s', (host, bytes) => {
    expect([...bytesOfIP(host)]).toEqual(bytes)
  })

  it.each([
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ])('are written as RFC 5952 says: %s is %s', (host, text) => {
    expect(textOfIP(bytesOfIP(host))).toBe(text)
  })

  it('are the same after going to text and back', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (host) => {
        const bytes = bytesOfIP(host)
        const text = textOfIP(bytes)
        expect(isIP(text)).toBe(bytes.length === 4 ? 4 : 6)
        expect(bytesOfIP(text)).toEqual(bytes)
        expect(unmapped(mapped(bytes))).toEqual(unmapped(bytes))
      }),
    )
  })

  it('can be masked anywhere', () => {
    expect([...masked(new Uint8Array([255, 255, 255, 255]), 13)]).toEqual([255, 248, 0, 0])
    expect([...masked(new Uint8Array([255, 255]), 0)]).toEqual([0, 0])
    expect([...masked(new Uint8Array([255, 255]), 16)]).toEqual([255, 255])
  })
})

describe('addressSet', () => {
  it('holds addresses, networks and UNIX sockets, as they are written', () => {
    const set = addressSet(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1', 'unix'])
    const inside = ['10.0.0.0', '10.255.255.255', '192.0.2.7', '2001:db8:ffff::1', '::1', '::ffff:10.1.2.3']
    const outside = ['9.255.255.255', '11.0.0.0', '192.0.2.8', '2001:db9::', '::2', '::ffff:11.1.2.3', '::10.1.2.3']
    expect(inside.filter((host) => !set(tcp(host)))).toEqual([])
    expect(outside.filter((host) => set(tcp(host)))).toEqual([])
    expect(set(new UNIXAddress(''))).toBe(true)
    expect(set(new ProcessAddress('/bin/true'))).toBe(false)
    expect(addressSet([])(new UNIXAddress(''))).toBe(false)
  })

  it('takes a network of IPv4 addresses that is written as IPv6', () => {
    const set = addressSet(['::ffff:10.0.0.0/104'])
    expect([set(tcp('10.1.2.3')), set(tcp('::ffff:10.1.2.3')), set(tcp('11.1.2.3'))]).toEqual([true, true, false])
  })

  it.each([
    '',
    '10.0.0',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    'fe80::1%eth0',
    'localhost',
  ])('refuses %j', (text) => {
    expect(() => addressSet([text])).toThrow(RangeError)
  })

  it('refuses bits behind the prefix, and says what may be meant', () => {
    expect(() => addressSet(['10.1.2.3/8'])).toThrow('did you mean 10.0.0.0/8?')
  })

  it("agrees with Node's BlockList", () => {
    fc.assert(
      fc.property(ipv4, fc.integer({ min: 1, max: 32 }), ipv4, (network, bits, host) => {
        const first = textOfIP(masked(bytesOfIP(network), bits))
        const list = new BlockList()
        list.addSubnet(first, bits)
        // Half of the hosts are inside.
        const inside = textOfIP(
          bytesOfIP(host).map((byte, at) => byte & ~masked(new Uint8Array(4).fill(255), bits)[at]!),
        )
        for (const each of [host, inside]) {
          expect(addressSet([`${first}/${bits}`])(tcp(each))).toBe(list.check(each))
        }
      }),
    )
  })
})

describe('CRC-32C', () => {
  it('is that of the standard', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array())).toBe(0)
  })
})
