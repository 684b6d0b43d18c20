/**
 * The records of TLS (RFC 8446, section 5.1), of which a stream of it consists: one byte says what is in it, two say the
 * version, two the length.
 *
 * In the simulated world what is in them can be read; a record of data is as long as a real one. No ancestor.
 */
import { toBytes } from '../../core/bytes.ts'
import { FrameBuffer } from '../../framing/frame-buffer.ts'

export const RecordType = { alert: 21, handshake: 22, data: 23 } as const
export type RecordType = (typeof RecordType)[keyof typeof RecordType]

/** Something on the wire. */
export interface TLSRecord {
  readonly type: RecordType
  readonly payload: Uint8Array
}

const header = 5
/** What encryption adds to data: a type and a seal. */
const seal = 17
/** So much of what is sent fits into one record. */
const mostInRecord = 16 * 1024

export function encodeRecord(type: RecordType, payload: Uint8Array): Uint8Array {
  const trailer = type === RecordType.data ? seal : 0
  const length = payload.length + trailer
  const record = new Uint8Array(header + length)
  record.set([type, 3, 3, length >> 8, length & 255])
  record.set(payload, header)
  return record
}

/** Something that is sent, in records; each with how many bytes of it are in there. */
export function sealed(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly length: number }[] {
  const records = []
  for (let start = 0; start < bytes.length; start += mostInRecord) {
    const part = bytes.subarray(start, start + mostInRecord)
    records.push({ bytes: encodeRecord(RecordType.data, part), length: part.length })
  }
  return records
}

/** What the last record says: no more will be sent. */
export const closeNotify = 'close_notify'

/** The last record. */
export function goodbye(): Uint8Array {
  return encodeRecord(RecordType.alert, toBytes(closeNotify))
}

/** What somebody sent is no TLS; the code is OpenSSL's. */
export class NotTLS extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

export class RecordReader {
  readonly #bytes = new FrameBuffer()

  append(chunk: Uint8Array): void {
    this.#bytes.append(chunk)
  }

  /** The next record, if all of it is here. @throws NotTLS */
  next(): TLSRecord | undefined {
    const bytes = this.#bytes
    if (!this.#has(header)) return undefined
    const type = this.#typeOfNext()
    const length = bytes.at(3)! * 256 + bytes.at(4)!
    const trailer = type === RecordType.data ? seal : 0
    if (length > mostInRecord + seal) throw new NotTLS('ERR_SSL_PACKET_LENGTH_TOO_LONG')
    if (length < trailer) throw new NotTLS('ERR_SSL_RECORD_TOO_SMALL')
    if (!this.#has(header + length)) return undefined
    bytes.skip(header)
    return { type, payload: bytes.take(length - trailer, trailer) }
  }

  #has(length: number): boolean {
    while (this.#bytes.length < length) if (!this.#bytes.more()) return false
    return true
  }

  #typeOfNext(): RecordType {
    const type = this.#bytes.at(0)
    const known = Object.values(RecordType).find((one) => one === type)
    if (known !== undefined && this.#bytes.at(1) === 3) return known
    const word = String.fromCharCode(...[0, 1, 2, 3].map((index) => this.#bytes.at(index)!))
    if (/^(GET |POST|HEAD|PUT )$/.test(word)) throw new NotTLS('ERR_SSL_HTTP_REQUEST')
    throw new NotTLS(word === 'CONN' ? 'ERR_SSL_HTTPS_PROXY_REQUEST' : 'ERR_SSL_WRONG_VERSION_NUMBER')
  }
}
