/**
 * The wire format of SOCKS 5 (RFC 1928), for the proxy in socks-proxy.ts: what a client says, and how it is answered.
 *
 * Look at when it gives up: at the first byte that is wrong, and never before a length has been read. Try: passwords
 * (RFC 1929), which are a third thing to be said.
 */
import { type Address, type Decoder, type FrameBuffer, RemoteProtocolError, toText } from 'couplet'

export const version = 5
/** The method of authentication that is none, and the answer that none will do. */
export const [noPassword, noMethod] = [0, 0xff]
/** Kinds of addresses. */
const [IPv4, domain, IPv6] = [1, 3, 4]

/** What became of a request (section 6). */
export const Answer = {
  succeeded: 0,
  failed: 1,
  forbidden: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  commandUnknown: 7,
  addressUnknown: 8,
} as const

/** What the client says: first which methods it knows, then what it wants. An address of no known kind has no host. */
export type Said =
  { readonly methods: Uint8Array } | { readonly command: number; readonly host: string; readonly port: number }

export class SocksDecoder implements Decoder<Said> {
  #greeted = false

  decode(input: FrameBuffer): Said | undefined {
    const [first, second, kind] = [input.at(0), input.at(1), input.at(3)]
    if (first !== undefined && first !== version) throw new RemoteProtocolError(`this is no SOCKS 5, but ${first}`)
    if (second === undefined) return undefined
    if (!this.#greeted) {
      if (input.length < 2 + second) return undefined
      this.#greeted = true
      return { methods: input.take(2 + second).subarray(2) }
    }
    if (kind === undefined) return undefined
    if (kind !== IPv4 && kind !== IPv6 && kind !== domain) {
      input.skip(4)
      return { command: second, host: '', port: 0 }
    }
    const begin = kind === domain ? 5 : 4
    const end = kind === domain ? begin + (input.at(4) ?? Infinity) : begin + (kind === IPv4 ? 4 : 16)
    if (input.length < end + 2) return undefined
    const request = input.take(end + 2)
    const [high = 0, low = 0] = request.subarray(end)
    return { command: second, host: hostIn(request.subarray(begin, end), kind), port: high * 256 + low }
  }
}

function hostIn(bytes: Uint8Array, kind: number): string {
  if (kind === domain) return toText(bytes)
  if (kind === IPv4) return bytes.join('.')
  return Array.from({ length: 8 }, (_, at) => (bytes[2 * at]! * 256 + bytes[2 * at + 1]!).toString(16)).join(':')
}

/** The answer to a request. The address is the one that we have on the other side, if it is of the old kind. */
export function answer(code: number, address?: Address): Uint8Array {
  const [bytes, port] =
    address?.kind === 'IPv4' ? [address.host.split('.').map(Number), address.port] : [[0, 0, 0, 0], 0]
  return new Uint8Array([version, code, 0, IPv4, ...bytes, port >> 8, port & 0xff])
}
