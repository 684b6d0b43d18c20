/** TextLineReceiver: lines of text, whole characters however they are cut, and nothing that is not UTF-8. */
import {
  ConnectionAborted,
  type ConnectionClosed,
  InvalidUTF8,
  LineTooLong,
  LocalProtocolError,
  TextLineReceiver,
  toBytes,
} from 'couplet'
import { connected, everyChunking } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toLatin1 } from './line-model.ts'

class TextLines extends TextLineReceiver {
  readonly lines: string[] = []
  reason: ConnectionClosed | undefined
  override lineReceived(line: string): void {
    this.lines.push(line)
  }
  override rawDataReceived(chunk: Uint8Array): void {
    this.lines.push(`raw ${chunk.length}`)
  }
  override connectionLost(reason: ConnectionClosed): void {
    this.reason = reason
  }
}

function receiver() {
  const protocol = new TextLines()
  return { protocol, lines: protocol.lines, transport: connected(protocol) }
}

describe('lines of text', () => {
  it('have whole characters, whatever the chunks, and keep a byte order mark', () => {
    everyChunking(toBytes('ö✓\r\n\r\n🎈\r\n'), (chunks) => {
      const { lines, transport } = receiver()
      for (const chunk of chunks) transport.receive(chunk)
      expect(lines).toEqual(['ö✓', '', '🎈'])
    })
    const { lines, transport } = receiver()
    transport.receive('\uFEFFa\r\n\uFEFFb\r\n')
    expect(lines).toEqual(['\uFEFFa', '\uFEFFb'])
  })

  it.each([
    ['a byte that is never in UTF-8', '\xff'],
    ['a character that is cut by the end of its line', '\xe2\x9c'],
    ['a long form of a slash', '\xc0\xaf'],
    ['a lone surrogate', '\xed\xa0\x80'],
    ['a byte that continues nothing', '\x80'],
  ])('refuse %s, show it escaped, and close; lines before were delivered', (_, bad) => {
    everyChunking(toLatin1(`a\r\n${bad}\r\nb\r\n`), (chunks) => {
      const { protocol, lines, transport } = receiver()
      for (const chunk of chunks) transport.receive(chunk)
      transport.end()
      expect(lines).toEqual(['a'])
      expect(protocol.reason).toBeInstanceOf(ConnectionAborted)
      expect(protocol.reason?.cause).toBeInstanceOf(InvalidUTF8)
      expect(protocol.reason?.message).toMatch(/the peer sent "\\x[^]*"/)
      expect(protocol.reason?.message).not.toContain(bad)
    })
  })

  it('are sent and received again: any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        fc.pre(!text.includes('\r\n'))
        const { protocol, transport } = receiver()
        protocol.sendLine(text)
        const other = receiver()
        other.transport.receive(transport.value())
        expect(other.lines).toEqual([text])
      }),
    )
  })

  it('have limits, delimiters and raw bytes as lines of bytes have', () => {
    const { protocol, lines, transport } = receiver()
    protocol.delimiter = '\n'
    protocol.maxLength = 4
    expect(() => protocol.sendLine('a\nb')).toThrow(LocalProtocolError)
    transport.receive('✓\n')
    protocol.setRawMode()
    transport.receive('\xff')
    protocol.setLineMode(toBytes('b\n'))
    transport.receive('✓✓\n')
    expect(lines).toEqual(['✓', 'raw 2', 'b'])
    expect(transport.cause).toEqual(new LineTooLong(5, 4))
  })
})
