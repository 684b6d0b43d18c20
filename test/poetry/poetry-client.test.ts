import {
  CancelledError,
  type ClientEndpoint,
  ConnectionDone,
  ConnectionLost,
  Deferred,
  FrameTooLong,
  type Protocol,
  TimeoutError,
  toBytes,
  toText,
} from 'couplet'
import { getPoetry, getPoetryBytes, PoemCutOff, PoetryClientProtocol } from 'couplet/poetry'
import {
  assertNoResult,
  connected,
  everyChunking,
  failureResultOf,
  ManualClock,
  StringTransport,
  successResultOf,
} from 'couplet/testing'
import { describe, expect, it } from 'vitest'

/** Where a test plays the server. */
class TestEndpoint implements ClientEndpoint {
  readonly transport = new StringTransport()
  cancelled = false
  #attempt: (() => void) | undefined

  connect<P extends Protocol>(factory: { buildProtocol(peer: StringTransport['peer']): P | null }): Deferred<P> {
    const connecting = new Deferred<P>(() => {
      this.cancelled = true
    })
    this.#attempt = () => {
      const protocol = factory.buildProtocol(this.transport.peer)
      if (protocol === null) throw new Error('no protocol')
      this.transport.deliverTo(protocol)
      connecting.callback(protocol)
    }
    return connecting
  }

  answer(): StringTransport {
    this.#attempt?.()
    return this.transport
  }
}

describe('getting a poem', () => {
  it('gives the text when the server hangs up, wherever it was cut, and not before', () => {
    const poem = 'Qui pénètre\nmon cœur ?\n'
    everyChunking(toBytes(poem), (chunks) => {
      const endpoint = new TestEndpoint()
      const text = getPoetry(endpoint)
      const transport = endpoint.answer()
      for (const chunk of chunks) transport.receive(chunk)
      assertNoResult(text)
      transport.end()
      expect(successResultOf(text)).toBe(poem)
    })
  })

  it('gives the bytes as they came, if you ask for those, UTF-8 or not', () => {
    const endpoint = new TestEndpoint()
    const bytes = getPoetryBytes(endpoint)
    const transport = endpoint.answer()
    transport.receive(new Uint8Array([0, 0xff, 0x0d, 0x0a, 0xed, 0xa0, 0x80]))
    transport.end()
    expect([...successResultOf(bytes)]).toEqual([0, 0xff, 0x0d, 0x0a, 0xed, 0xa0, 0x80])
  })

  it('gives an empty poem as an empty poem', () => {
    const endpoint = new TestEndpoint()
    const text = getPoetry(endpoint)
    endpoint.answer().end()
    expect(successResultOf(text)).toBe('')
  })

  it('tells you about each piece as it arrives', () => {
    const endpoint = new TestEndpoint()
    const pieces: string[] = []
    const text = getPoetry(endpoint, { received: (piece) => pieces.push(toText(piece)) })
    const transport = endpoint.answer()
    transport.receive('one\n')
    expect(pieces).toEqual(['one\n'])
    transport.receive('two\n')
    transport.end()
    expect([pieces, successResultOf(text)]).toEqual([['one\n', 'two\n'], 'one\ntwo\n'])
  })

  it('fails if the connection breaks in the middle, and says how much had come', () => {
    const endpoint = new TestEndpoint()
    const text = getPoetry(endpoint)
    const transport = endpoint.answer()
    transport.receive('one\ntw')
    const broken = new ConnectionLost('192.168.1.1:54321: connection lost: read ECONNRESET')
    transport.end(broken)
    const error = failureResultOf(text, PoemCutOff).value as PoemCutOff
    expect(error.message).toBe(
      '192.168.1.1:54321: incomplete: only 6 bytes of the poem arrived (connection lost: read ECONNRESET)',
    )
    expect([error.code, error.received, error.cause]).toEqual(['ERR_POEM_CUT_OFF', 6, broken])
  })

  it('gives up a poem that has no end, and names the limit', () => {
    const endpoint = new TestEndpoint()
    const text = getPoetry(endpoint, { maxLength: 10 })
    const transport = endpoint.answer()
    transport.receive('0123456789')
    assertNoResult(text)
    expect(transport.disconnecting).toBe(false)
    transport.receive('a')
    expect([transport.aborting, transport.cause]).toEqual([true, new FrameTooLong(11, 10, 'poem')])
    transport.end()
    expect(String(failureResultOf(text, PoemCutOff).value)).toContain(
      'a poem of 11 bytes or more was offered, the limit',
    )
  })

  it('can be cancelled while it connects', () => {
    const endpoint = new TestEndpoint()
    const text = getPoetry(endpoint)
    text.cancel()
    expect(endpoint.cancelled).toBe(true)
    failureResultOf(text, CancelledError)
  })

  it('can be cancelled in the middle of the poem, and hangs up then', () => {
    const endpoint = new TestEndpoint()
    const text = getPoetry(endpoint)
    const transport = endpoint.answer()
    transport.receive('one\n')
    text.cancel()
    expect(transport.aborting).toBe(true)
    failureResultOf(text, CancelledError)
    transport.end()
  })

  it('can be given a time in which it must be whole', () => {
    const clock = new ManualClock()
    const endpoint = new TestEndpoint()
    const text = getPoetry(endpoint).addTimeout(10_000, clock)
    const transport = endpoint.answer()
    clock.advance(9999)
    transport.receive('one\n')
    assertNoResult(text)
    clock.advance(1)
    failureResultOf(text, TimeoutError)
    expect(transport.aborting).toBe(true)
    transport.end()
  })

  it('tells everybody who asks, before and after the end', () => {
    const protocol = new PoetryClientProtocol()
    const transport = connected(protocol)
    const early = [protocol.whenFinished(), protocol.whenFinished()]
    transport.receive('one\n')
    transport.end(new ConnectionDone())
    for (const one of [...early, protocol.whenFinished()]) expect(toText(successResultOf(one))).toBe('one\n')
  })

  it('holds a megabyte in pieces of one byte each in about a megabyte', () => {
    const protocol = new PoetryClientProtocol()
    const transport = connected(protocol)
    const piece = toBytes('x')
    for (let index = 0; index < 1_000_000; index++) protocol.dataReceived(piece)
    transport.end()
    const poem = successResultOf(protocol.whenFinished())
    expect([poem.length, poem.buffer.byteLength]).toEqual([1_000_000, 1_048_576])
  })
})
