import * as fc from 'fast-check'
import {
  BadProxyHeader,
  FrameTooLong,
  IPv4Address,
  IPv6Address,
  ipAddress,
  join,
  LocalProtocolError,
  ProxyHeader,
  proxyHeaderBytes,
  ProxyHeaderParser,
  proxyTLV,
  type ProxyTLV,
  RemoteProtocolError,
  toBytes,
  toText,
  UNIXAddress,
} from 'couplet'
import { everyChunking } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

/** What a parser makes of chunks: the answer or the error, and what is left. */
function parse(chunks: readonly Uint8Array[], maxLength?: number): { header: unknown; rest: string } {
  const parser = new ProxyHeaderParser(maxLength)
  for (const [index, chunk] of chunks.entries()) {
    let header
    try {
      header = parser.receive(chunk)
    } catch (error) {
      expect(error).toBeInstanceOf(RemoteProtocolError)
      return { header: error, rest: '' }
    }
    if (header !== undefined) return { header, rest: toText(join([parser.rest, ...chunks.slice(index + 1)])) }
  }
  return { header: undefined, rest: '' }
}

function whole(bytes: Uint8Array | string): ProxyHeader {
  const { header } = parse([toBytes(bytes)])
  expect(header).toBeInstanceOf(ProxyHeader)
  return header as ProxyHeader
}

function broken(bytes: Uint8Array | string, maxLength?: number): Error {
  const { header } = parse([toBytes(bytes)], maxLength)
  expect(header).toBeInstanceOf(Error)
  return header as Error
}

const signature = '0d0a0d0a000d0a515549540a'
/** As captured from HAProxy 2.6. */
const captured = {
  v1: toBytes('PROXY TCP4 127.0.0.1 127.0.0.1 41628 44001\r\n'),
  v2: hex(`${signature}2111000c7f0000017f00000193c2abe2`),
  withTLVs: hex(`${signature}211100237f0000017f000001c2c6abe3030004f463e5d105000d37463030303030313a43324336`),
  local: hex(`${signature}20000000`),
}

describe('a PROXY header of HAProxy', () => {
  it('of version 1 says who is connected to whom', () => {
    expect(whole(captured.v1)).toMatchObject({ version: 1, command: 'PROXY', tlvs: [] })
    expect(String(whole(captured.v1).source)).toBe('127.0.0.1:41628')
    expect(String(whole(captured.v1).destination)).toBe('127.0.0.1:44001')
  })

  it('of version 2 does too', () => {
    expect(whole(captured.v2)).toMatchObject({ version: 2, command: 'PROXY', tlvs: [] })
    expect(String(whole(captured.v2).source)).toBe('127.0.0.1:37826')
    expect(String(whole(captured.v2).destination)).toBe('127.0.0.1:44002')
  })

  it('may have a unique ID, and a checksum that is right', () => {
    const header = whole(captured.withTLVs)
    expect(toText(header.uniqueId!)).toBe('7F000001:C2C6')
    expect(header.tlvs.map(({ type }) => type)).toEqual([proxyTLV.crc32c, proxyTLV.uniqueId])
  })

  it('of a health check knows no addresses', () => {
    expect(whole(captured.local)).toMatchObject({ command: 'LOCAL', source: undefined, destination: undefined })
  })

  it.each(Object.entries(captured))('is the same however it arrives: %s', (_name, bytes) => {
    const expected = whole(bytes)
    everyChunking(join([bytes, toBytes('GET')]), (chunks) => {
      expect(parse(chunks)).toEqual({ header: expected, rest: 'GET' })
    })
  })
})

describe('version 1', () => {
  it.each([
    ['PROXY TCP6 2001:DB8::1 ::1 1 2\r\n', '[2001:db8::1]:1', '[::1]:2'],
    ['PROXY TCP6 ffff:f:f:f:f:f:f:ffff ffff::ffff 65535 0\r\n', '[ffff:f:f:f:f:f:f:ffff]:65535', '[ffff::ffff]:0'],
  ])('knows IPv6: %j', (line, source, destination) => {
    const header = whole(line)
    expect([String(header.source), String(header.destination)]).toEqual([source, destination])
  })

  it.each(['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', 'PROXY UNKNOWN \x00 whatever\r\n'])(
    'keeps the addresses of the socket: %j',
    (line) => {
      expect(whole(line)).toMatchObject({ command: 'PROXY', source: undefined, destination: undefined })
    },
  )

  it.each([
    'PROXY TCP4 not-an-ip;rm 10.0.0.1 1 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 -5 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 abc 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 99999 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 65536 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 0x50\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 080\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 +80\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n',
    'PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY TCP4 010.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY TCP4 10.1 10.0.0.2 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP4 ::ffff:10.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP6 [::1] ::1 1 2\r\n',
    'PROXY TCP5 10.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n',
    'PROXY \r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 ٢\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\r\n',
    'PROXY TCP4 10.0.0.1\r10.0.0.2 1 2\r\n',
  ])('refuses %j, at the same byte whatever the chunks', (line) => {
    const error = broken(line)
    expect(error).toBeInstanceOf(BadProxyHeader)
    expect(error.message).toMatch(/^[\x20-\x7e…]*$/)
    everyChunking(toBytes(line), (chunks) => expect((parse(chunks).header as Error).message).toBe(error.message))
  })

  it('has 107 bytes at most', () => {
    const longest = `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`
    expect(longest).toHaveLength(107)
    expect(whole(longest).command).toBe('PROXY')
    const parser = new ProxyHeaderParser()
    const tooLong = toBytes('PROXY UNKNOWN '.padEnd(200, 'x'))
    expect(parser.receive(tooLong.subarray(0, 106))).toBeUndefined()
    expect(() => parser.receive(tooLong.subarray(106, 107))).toThrow(/no CRLF within 107 bytes/)
  })
})

describe('version 2', () => {
  const binary = (rest: string): Uint8Array => hex(signature + rest)

  it('knows IPv6 and UNIX sockets, also those of the abstract namespace', () => {
    const ipv6 = whole(binary(`21210024 20010db8${'00'.repeat(11)}01 ${'00'.repeat(15)}01 0050 01bb`))
    expect([String(ipv6.source), String(ipv6.destination)]).toEqual(['[2001:db8::1]:80', '[::1]:443'])
    const path = (text: string): string => Buffer.from(text).toString('hex').padEnd(216, '0')
    const unix = whole(binary(`213100d8${path('/run/client')}${path('\0abstract')}`))
    expect([unix.source, unix.destination]).toEqual([new UNIXAddress('/run/client'), new UNIXAddress('\0abstract')])
    expect(whole(binary(`213100d8${path('x'.repeat(108))}${path('')}`)).source).toEqual(
      new UNIXAddress('x'.repeat(108)),
    )
    expect(whole(binary(`213100d8${path('')}${path('')}`)).source).toEqual(new UNIXAddress(''))
  })

  it.each([
    ['LOCAL with a forged address', `2011000c 06060606 06060606 0001 0002`],
    ['LOCAL of a family that does not exist', `20ff0003 aabbcc`],
    ['UNSPEC with an address', `2100000c 06060606 06060606 0001 0002`],
  ])('keeps the addresses of the socket: %s', (_name, rest) => {
    expect(whole(binary(rest))).toMatchObject({ source: undefined, destination: undefined, tlvs: [] })
  })

  it.each([
    ['version 1', '11', 'version 1'],
    ['version 3', '31', 'version 3'],
    ['command 2', '22', 'command 2'],
    ['a family that does not exist', '2141', 'does not exist'],
    ['a transport that does not exist', '2113', 'does not exist'],
    ['a family without a transport', '2110', 'does not exist'],
    ['datagrams over IPv4', '2112', 'datagrams'],
    ['datagrams over IPv6', '2122', 'datagrams'],
    ['datagrams over UNIX sockets', '2132', 'datagrams'],
    ['too little room for the addresses', '2111000b', 'no room'],
    ['a TLV without its length', '2111000e 7f0000017f00000193c2abe2 0500', 'TLV'],
    ['a TLV that overruns', '21110010 7f0000017f00000193c2abe2 05000200', 'TLV'],
    ['a wrong checksum', '21110013 7f0000017f00000193c2abe2 03000400000000', 'checksum'],
    ['a checksum of three bytes', '21110012 7f0000017f00000193c2abe2 030003000000', 'checksum'],
    ['a unique ID of 129 bytes', `21110090 7f0000017f00000193c2abe2 050081${'00'.repeat(129)}`, '129'],
    ['too little about TLS', '21110013 7f0000017f00000193c2abe2 20000401000000', 'TLS'],
    ['a TLV that overruns the one around it', '21110017 7f0000017f00000193c2abe2 2000080100000000 210001', 'TLV'],
  ])('refuses %s, at the same byte whatever the chunks', (_name, rest, why) => {
    const error = broken(binary(rest))
    expect(error).toBeInstanceOf(BadProxyHeader)
    expect(error.message).toContain(why)
    for (const size of [1, 2, 3, 7, 13]) {
      const bytes = binary(rest)
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      )
      expect((parse(chunks).header as Error).message).toBe(error.message)
    }
  })

  it('has 4 KiB at most, unless you say more, and is refused before it is read', () => {
    const parser = new ProxyHeaderParser()
    const longest = join([binary('21110ff0'), new Uint8Array(4080 - 12 - 3)])
    expect(parser.receive(longest)).toBeUndefined()
    expect(broken(binary('21110ff1'))).toMatchObject({ offered: 4097, limit: 4096 })
    expect(broken(binary('21110ff1'))).toBeInstanceOf(FrameTooLong)
    expect(parse([binary('2111ffff')], 70_000).header).toBeUndefined()
  })

  it('tells what the proxy knows about TLS', () => {
    const sub = (type: number, text: string): Uint8Array =>
      join([new Uint8Array([type, 0, text.length]), toBytes(text)])
    const ssl = join([
      new Uint8Array([7, 0, 0, 0, 0]),
      sub(0x21, 'TLSv1.3'),
      sub(0x22, 'alice'),
      sub(0x23, 'AES'),
      sub(0x24, 'SHA256'),
      sub(0x25, 'RSA2048'),
    ])
    const options = {
      source: new IPv4Address('TCP', '10.0.0.1', 1),
      destination: new IPv4Address('TCP', '10.0.0.2', 2),
    }
    const tlvs: ProxyTLV[] = [
      { type: proxyTLV.ssl, value: ssl },
      { type: proxyTLV.authority, value: toBytes('bücher.example') },
      { type: proxyTLV.alpn, value: toBytes('h2') },
      { type: proxyTLV.netns, value: toBytes('blue') },
      { type: proxyTLV.noop, value: new Uint8Array(9) },
      { type: 0xe0, value: toBytes('mine') },
    ]
    const header = whole(proxyHeaderBytes(2, { ...options, tlvs, checksum: true }))
    expect(header.ssl).toEqual({
      tls: true,
      verified: true,
      version: 'TLSv1.3',
      commonName: 'alice',
      cipher: 'AES',
      signatureAlgorithm: 'SHA256',
      keyAlgorithm: 'RSA2048',
    })
    expect([header.authority, header.alpn, header.netns]).toEqual(['bücher.example', 'h2', 'blue'])
    expect(toText(header.value(0xe0)!)).toBe('mine')
    expect(header.uniqueId).toBeUndefined()
    const unverified = [{ type: proxyTLV.ssl, value: new Uint8Array([3, 0, 0, 0, 1]) }]
    expect(whole(proxyHeaderBytes(2, { ...options, tlvs: unverified })).ssl).toMatchObject({
      tls: true,
      verified: false,
    })
    expect(whole(proxyHeaderBytes(2, options)).ssl).toBeUndefined()
  })
})

describe('what is no header', () => {
  it.each(['GET / HTTP/1.1', 'PUT', 'PROXX', '\r\n\r\nhello', '\r\n\r\n\0\r\nQUIT\r', 'x', '\0'])(
    'is told so, and all of it is given back: %j',
    (text) => {
      everyChunking(toBytes(text), (chunks) => expect(parse(chunks)).toEqual({ header: null, rest: text }))
    },
  )
})

describe('any bytes', () => {
  const prefixes = [
    new Uint8Array(),
    toBytes('PROXY '),
    toBytes('PROXY TCP4 '),
    hex(signature),
    hex(`${signature}2111`),
  ]

  it('are a header, no header, or a RemoteProtocolError; and always the same, in any chunks', () => {
    const chunked = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 })
    fc.assert(
      fc.property(fc.constantFrom(...prefixes), chunked, (prefix, chunks) => {
        const all = prefix.length === 0 ? chunks : [prefix, ...chunks]
        const inOne = join(all)
        const expected = inOne.length === 0 ? parse([]) : parse([inOne])
        expect(parse(all)).toEqual(expected)
        expect(parse([...inOne].map((byte) => new Uint8Array([byte])))).toEqual(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it('that differ from a good header in one place do no harm either', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(captured)),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (good, at, byte) => {
          const bytes = new Uint8Array(good)
          bytes[at % bytes.length] = byte
          parse([bytes])
        },
      ),
      { numRuns: 5000 },
    )
  })
})

describe('a header that we write', () => {
  const ip = fc
    .record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 0, max: 65_535 }) })
    .map(({ host, port }) => ipAddress(host, port))
    .filter((address) => address !== undefined)

  it('is one that we read', () => {
    const tlv = fc.record({
      type: fc.integer({ min: 0xe0, max: 0xef }),
      value: fc.uint8Array({ maxLength: 100 }),
    })
    fc.assert(
      fc.property(ip, ip, fc.array(tlv, { maxLength: 5 }), fc.boolean(), (source, destination, tlvs, checksum) => {
        const two = whole(proxyHeaderBytes(2, { source, destination, tlvs, checksum }))
        expect(two.tlvs.slice(0, tlvs.length)).toEqual(tlvs)
        const one = whole(proxyHeaderBytes(1, { source, destination }))
        for (const header of [one, two]) {
          expect(header.source?.kind).toBe(source.kind === destination.kind ? source.kind : 'IPv6')
          expect([header.source, header.destination]).toMatchObject([{ port: source.port }, { port: destination.port }])
        }
        expect([one.source, one.destination]).toEqual([two.source, two.destination])
      }),
    )
  })

  it('is what HAProxy writes', () => {
    const source = new IPv4Address('TCP', '127.0.0.1', 37_826)
    const destination = new IPv4Address('TCP', '127.0.0.1', 44_002)
    expect(proxyHeaderBytes(2, { source, destination })).toEqual(captured.v2)
    expect(proxyHeaderBytes(2)).toEqual(captured.local)
    expect(toText(proxyHeaderBytes(1, { source, destination }))).toBe('PROXY TCP4 127.0.0.1 127.0.0.1 37826 44002\r\n')
  })

  it('has IPv6 for two families, and nothing for what has none', () => {
    const source = new IPv4Address('TCP', '192.0.2.1', 1)
    const destination = new IPv6Address('TCP', 'fe80::1%eth0', 2)
    expect(toText(proxyHeaderBytes(1, { source, destination }))).toBe('PROXY TCP6 ::ffff:192.0.2.1 fe80::1 1 2\r\n')
    const unix = new UNIXAddress('/run/x')
    expect(toText(proxyHeaderBytes(1, { source: unix, destination: unix }))).toBe('PROXY UNKNOWN\r\n')
    expect(toText(proxyHeaderBytes(1))).toBe('PROXY UNKNOWN\r\n')
    expect(whole(proxyHeaderBytes(2, { source, destination: unix }))).toMatchObject({
      command: 'PROXY',
      source: undefined,
    })
    expect(whole(proxyHeaderBytes(2, { source: unix, destination: unix })).source).toEqual(unix)
  })

  it('refuses what it cannot say', () => {
    const source = new IPv4Address('TCP', '192.0.2.1', 1)
    const unix = new UNIXAddress('x'.repeat(109))
    const long = { type: 0xe0, value: new Uint8Array(65_536) }
    const wrongs: Parameters<typeof proxyHeaderBytes>[] = [
      [1, { source }],
      [1, { tlvs: [] }],
      [1, { checksum: true }],
      [2, { source: unix, destination: unix }],
      [2, { tlvs: [long] }],
      [2, { tlvs: [1, 2].map(() => ({ type: 0xe0, value: new Uint8Array(40_000) })) }],
      [2, { tlvs: [{ type: 256, value: new Uint8Array() }] }],
      [2, { tlvs: [{ type: proxyTLV.crc32c, value: new Uint8Array(4) }] }],
    ]
    for (const wrong of wrongs) expect(() => proxyHeaderBytes(...wrong)).toThrow(LocalProtocolError)
  })
})
