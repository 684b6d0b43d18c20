/**
 * Where a connection goes to or comes from: an IP address with a port, a path, a pipe, a process.
 *
 * Addresses are plain values: compare them with `equals`, print them with `String(address)`. Ancestor:
 * `twisted.internet.address`.
 */
import { escaped, toBytes } from './bytes.ts'

/** What the two kinds of IP address have in common. */
abstract class HostAndPort {
  abstract readonly kind: 'IPv4' | 'IPv6'
  readonly type: 'TCP' | 'UDP'
  /** The address of the host, as text. */
  readonly host: string
  /** 0 to 65,535; 0 means any free port when listening. */
  readonly port: number

  /** @throws RangeError if `port` is not a whole number from 0 to 65,535 */
  constructor(type: 'TCP' | 'UDP', host: string, port: number) {
    this.type = type
    this.host = host
    this.port = checkedPort(port)
  }

  /** Whether `other` is the same address. */
  equals(other: Address): boolean {
    if (other.kind !== 'IPv4' && other.kind !== 'IPv6') return false
    return other.kind === this.kind && other.type === this.type && other.host === this.host && other.port === this.port
  }
}

/** A TCP or UDP address of the old kind. Its host is four numbers with dots. */
export class IPv4Address extends HostAndPort {
  override readonly kind = 'IPv4'

  /** The same host at another port. */
  withPort(port: number): IPv4Address {
    return new IPv4Address(this.type, this.host, port)
  }

  /** The address as people write it. */
  override toString(): string {
    return `${this.host}:${this.port}`
  }
}

/**
 * A TCP or UDP address of the new kind. Its host is hexadecimal groups with colons, and `%zone` behind them where it
 * matters; no brackets.
 */
export class IPv6Address extends HostAndPort {
  override readonly kind = 'IPv6'

  /** The same host at another port. */
  withPort(port: number): IPv6Address {
    return new IPv6Address(this.type, this.host, port)
  }

  /** The address as people write it. */
  override toString(): string {
    return `[${this.host}]:${this.port}`
  }
}

/** A socket in the file system. An unnamed one (a client's) has the empty path. */
export class UNIXAddress {
  readonly kind = 'UNIX'
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** Whether `other` is the same address. */
  equals(other: Address): boolean {
    return other.kind === 'UNIX' && other.path === this.path
  }

  /** The address as people write it. */
  toString(): string {
    if (this.path === '') return 'unix:(unnamed)'
    // The peer may have chosen the path, and this text goes into logs.
    return /^[\x20-\x7e]+$/.test(this.path) ? `unix:${this.path}` : `unix:${escaped(toBytes(this.path), 108)}`
  }
}

/** The program's own standard input and output. */
export class StandardIOAddress {
  readonly kind = 'stdio'

  /** Whether `other` is the same address. */
  equals(other: Address): boolean {
    return other.kind === 'stdio'
  }

  /** The address as people write it. */
  toString(): string {
    return 'stdio'
  }
}

/** A child process, reached through its pipes. */
export class ProcessAddress {
  readonly kind = 'process'
  readonly executable: string
  readonly args: readonly string[]

  constructor(executable: string, args: readonly string[] = []) {
    this.executable = executable
    this.args = args
  }

  /** Whether `other` is the same address. */
  equals(other: Address): boolean {
    return other.kind === 'process' && String(other) === String(this)
  }

  /** The address as people write it. */
  toString(): string {
    return `process:${JSON.stringify([this.executable, ...this.args])}`
  }
}

/** A socket that somebody else opened and left to us as an open file (systemd's socket activation). */
export class DescriptorAddress {
  readonly kind = 'descriptor'
  readonly descriptor: number
  /** What whoever opened it calls it, if anything. Two of different names are equal. */
  readonly name: string | undefined

  constructor(descriptor: number, name?: string) {
    this.descriptor = descriptor
    this.name = name
  }

  /** Whether `other` is the same address. */
  equals(other: Address): boolean {
    return other.kind === 'descriptor' && other.descriptor === this.descriptor
  }

  /** The address as people write it. */
  toString(): string {
    return `descriptor:${this.descriptor}`
  }
}

/** An address that has a host and a port. */
export type IPAddress = IPv4Address | IPv6Address

/** Any place a connection can go to or come from. Tell them apart by `kind`. */
export type Address = IPAddress | UNIXAddress | StandardIOAddress | ProcessAddress | DescriptorAddress

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const dottedQuad = new RegExp(`^${octet}(?:\\.${octet}){3}$`)

/**
 * Reads an IP address as people write it: `127.0.0.1`, `::1`, `fe80::1%eth0`. Strict: no leading zeros, no
 * shortened IPv4, no brackets (RFC 4291 section 2.2, RFC 6943 section 3.1.1).
 *
 * @returns the address, or `undefined` if the text is a host name or nothing at all
 */
export function ipAddress(text: string, port = 0, type: 'TCP' | 'UDP' = 'TCP'): IPAddress | undefined {
  if (dottedQuad.test(text)) return new IPv4Address(type, text, port)
  if (!isIPv6(text)) return undefined
  // The zone is the name of an interface, where case matters.
  const [address = '', ...zone] = text.split('%')
  return new IPv6Address(type, [address.toLowerCase(), ...zone].join('%'), port)
}

function isIPv6(text: string): boolean {
  const [, address, zone] = /^([0-9a-fA-F:.]{2,45})(?:%([\w.-]{1,32}))?$/.exec(text) ?? []
  if (address === undefined || (zone === undefined && text.includes('%'))) return false
  const halves = address.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1)
  // An IPv4 address may stand for the last two groups, but only at the very end.
  const quad = last !== undefined && last.includes('.') && !address.endsWith('::')
  if (quad && !dottedQuad.test(last)) return false
  const hexadecimal = quad ? groups.slice(0, -1) : groups
  if (!hexadecimal.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false
  const length = hexadecimal.length + (quad ? 2 : 0)
  return halves.length === 2 ? length < 8 : length === 8
}

/**
 * @throws RangeError if `port` is not a whole number from 0 to 65,535
 */
function checkedPort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new RangeError(`a port is a whole number from 0 to 65535, not ${port}`)
}
