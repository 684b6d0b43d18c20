/** FrameReceiver: the one loop. Pauses, closing, failing, nesting; with lines and with a format of our own. */
import {
  type ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  type Decoder,
  type FrameBuffer,
  FrameReceiver,
  FrameTooLong,
  type Hook,
  IncompleteFrame,
  LineReceiver,
  type Report,
  setReporter,
  setTracer,
  toBytes,
  toText,
} from 'couplet'
import { connected, everyChunking, type StringTransport } from 'couplet/testing'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { fromLatin1, lines } from './line-model.ts'

/** A byte that says how many follow; at most 9. */
class SizedDecoder implements Decoder<Uint8Array> {
  readonly type = 'sized'
  decode(input: FrameBuffer): Uint8Array | undefined {
    const size = input.at(0)
    if (size === undefined) return undefined
    if (size > 9) throw new FrameTooLong(size, 9)
    if (input.length < 1 + size) return undefined
    input.skip(1)
    return input.take(size)
  }
  needed(input: FrameBuffer): number | undefined {
    const size = input.at(0)
    return size === undefined ? undefined : 1 + size
  }
}

/** What somebody writes for a format of their own. */
class Sized extends FrameReceiver<Uint8Array> {
  protected override readonly decoder = new SizedDecoder()
  readonly frames: string[] = []
  reason: ConnectionClosed | undefined

  protected override frameReceived(frame: Uint8Array): void {
    this.frames.push(fromLatin1(frame))
  }
  override connectionLost(reason: ConnectionClosed): void {
    this.reason = reason
  }
}

class Lines extends LineReceiver {
  readonly events: string[] = []
  react: (line: string) => Hook = () => {}

  override lineReceived(line: Uint8Array): Hook {
    const text = toText(line)
    this.events.push(text)
    return this.react(text)
  }
  override rawDataReceived(chunk: Uint8Array): Hook {
    this.events.push(`raw ${toText(chunk)}`)
  }
}

function lineReceiver() {
  const protocol = new Lines()
  return { protocol, events: protocol.events, transport: connected(protocol) }
}

const reports: Report[] = []
const restore = setReporter((report) => reports.push(report))
afterEach(() => {
  expect(reports.splice(0)).toEqual([])
})
afterAll(restore)

describe('a receiver for a format of one’s own', () => {
  it('gets its frames whatever the chunks, empty ones too', () => {
    everyChunking(new Uint8Array([1, 65, 0, 3, 66, 67, 68, 2, 69, 70]), (chunks) => {
      const protocol = new Sized()
      const transport = connected(protocol)
      for (const chunk of chunks) transport.receive(chunk)
      transport.end()
      expect(protocol.frames).toEqual(['A', '', 'BCD', 'EF'])
      expect(protocol.reason).toBeInstanceOf(ConnectionDone)
    })
  })

  it('is told how much of a frame was missing when the peer closed', () => {
    everyChunking(new Uint8Array([1, 65, 4, 66]), (chunks) => {
      const protocol = new Sized()
      const transport = connected(protocol)
      for (const chunk of chunks) transport.receive(chunk)
      transport.end()
      expect(protocol.frames).toEqual(['A'])
      expect(protocol.reason).toBeInstanceOf(ConnectionLost)
      expect(protocol.reason?.cause).toEqual(new IncompleteFrame(2, 5))
    })
  })

  it('closes at a frame that is too long as soon as its header says so; those before it are delivered', () => {
    everyChunking(new Uint8Array([1, 65, 10]), (chunks) => {
      const protocol = new Sized()
      const transport = connected(protocol)
      for (const chunk of chunks) transport.receive(chunk)
      expect([protocol.frames, transport.cause]).toEqual([['A'], new FrameTooLong(10, 9)])
      transport.end()
      expect(protocol.reason?.cause).toBe(transport.cause)
    })
  })
})

describe('a pause', () => {
  const ways: [string, (protocol: Lines, transport: StringTransport) => void][] = [
    ['the receiver', (protocol) => protocol.pauseProducing()],
    ['its transport', (_, transport) => transport.pauseProducing()],
  ]
  const back: [string, (protocol: Lines, transport: StringTransport) => void][] = [
    ['the receiver', (protocol) => protocol.resumeProducing()],
    ['its transport', (_, transport) => transport.resumeProducing()],
  ]

  for (const [paused, pause] of ways) {
    for (const [resumed, resume] of back) {
      it(`of ${paused} stops before the next line, and ${resumed} resumed brings it, in order`, () => {
        const { protocol, events, transport } = lineReceiver()
        protocol.react = (line) => {
          if (line === 'pause') pause(protocol, transport)
        }
        transport.receive('a\r\npause\r\nb\r\nc')
        expect(events).toEqual(['a', 'pause'])
        transport.receive('d\r\n')
        expect(events).toEqual(['a', 'pause'])
        resume(protocol, transport)
        expect(events).toEqual(['a', 'pause', 'b', 'cd'])
      })
    }
  }

  it('at every line delivers one line for each time it is resumed', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => protocol.pauseProducing()
    const sent = Array.from({ length: 1000 }, (_, index) => `line ${index}`)
    transport.receive(lines(...sent))
    for (let count = 1; count <= sent.length; count++) {
      expect(events.length).toBe(count)
      protocol.resumeProducing()
    }
    expect(events).toEqual(sent)
  })

  it('that is over before the hook returns changes nothing', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => {
      events.push('begin')
      protocol.pauseProducing()
      protocol.resumeProducing()
      events.push('end')
    }
    transport.receive('a\r\nb\r\n')
    expect(events).toEqual(['a', 'begin', 'end', 'b', 'begin', 'end'])
  })

  it('holds in raw mode too', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => {
      protocol.setRawMode()
      protocol.pauseProducing()
    }
    transport.receive('a\r\nbody')
    expect(events).toEqual(['a'])
    protocol.resumeProducing()
    expect(events).toEqual(['a', 'raw body'])
  })

  it('holds back the end of the input behind the lines', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.connectionLost = (reason) => void events.push(reason.name)
    protocol.react = () => protocol.pauseProducing()
    transport.receive('a\r\nb\r\n')
    transport.end()
    expect(events).toEqual(['a'])
    protocol.resumeProducing()
    expect(events).toEqual(['a', 'b'])
    protocol.resumeProducing()
    expect(events).toEqual(['a', 'b', 'ConnectionDone'])
  })

  it('that was asked for when the connection was made holds from the first line', () => {
    class Shy extends Lines {
      override connectionMade(): void {
        this.pauseProducing()
      }
    }
    const shy = new Shy()
    const transport = connected(shy)
    transport.receive('a\r\n')
    expect(shy.events).toEqual([])
    shy.resumeProducing()
    expect(shy.events).toEqual(['a'])
  })
})

describe('nothing is delivered', () => {
  it.each<[string, (protocol: Lines) => void]>([
    ['loseConnection', (protocol) => protocol.transport.loseConnection()],
    ['abortConnection', (protocol) => protocol.transport.abortConnection()],
    ['stopProducing', (protocol) => protocol.stopProducing()],
  ])('after %s: not the rest of the chunk, not the next chunk, not what is put back', (_, close) => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => close(protocol)
    transport.receive('a\r\nb\r\n')
    protocol.dataReceived(toBytes('c\r\n'))
    protocol.setLineMode(toBytes('d\r\n'))
    protocol.resumeProducing()
    expect(events).toEqual(['a'])
    expect(protocol.clearLineBuffer()).toEqual(new Uint8Array(0))
  })

  it('after a close in a pause', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => protocol.pauseProducing()
    transport.receive('a\r\nb\r\n')
    protocol.transport.loseConnection()
    protocol.resumeProducing()
    transport.end()
    expect(events).toEqual(['a'])
  })

  it('after a hook has thrown', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => {
      throw new Error('broken')
    }
    expect(() => transport.receive('a\r\nb\r\n')).toThrow('broken')
    protocol.dataReceived(toBytes('c\r\n'))
    protocol.resumeProducing()
    expect(events).toEqual(['a'])
  })
})

describe('a hook that fails', () => {
  it('later aborts the connection and is reported; lines before that still came', async () => {
    const { protocol, events, transport } = lineReceiver()
    const error = new Error('later')
    protocol.react = (line) => (line === 'a' ? Promise.reject(error) : undefined)
    transport.receive('a\r\nb\r\n')
    expect(events).toEqual(['a', 'b'])
    await Promise.resolve()
    protocol.dataReceived(toBytes('c\r\n'))
    expect([events, transport.cause]).toEqual([['a', 'b'], error])
    expect(reports.splice(0)).toEqual([
      {
        error,
        what: 'frameReceived of Lines failed, so the connection with 192.168.1.1:54321 is aborted',
        subject: protocol,
      },
    ])
  })

  it.each<[string, (protocol: Lines) => void]>([
    ['rawDataReceived', (protocol) => protocol.setRawMode()],
    ['frameRefused', (protocol) => (protocol.maxLength = 0)],
  ])('later is looked after also in %s', async (what, prepare) => {
    const error = new Error('later')
    class Late extends Lines {
      override rawDataReceived(): Hook {
        return Promise.reject(error)
      }
      override lineLengthExceeded(): Hook {
        return Promise.reject(error)
      }
    }
    const protocol = new Late()
    const transport = connected(protocol)
    prepare(protocol)
    transport.receive('something')
    await Promise.resolve()
    expect([transport.aborting, transport.cause]).toEqual([true, error])
    expect(reports.splice(0)).toMatchObject([{ error, what: expect.stringContaining(`${what} of Late failed`) }])
  })

  it('where no transport has called it aborts the connection and is reported all the same', () => {
    const { protocol, events, transport } = lineReceiver()
    const error = new Error('broken')
    protocol.react = () => {
      throw error
    }
    protocol.setRawMode()
    protocol.setLineMode(toBytes('a\r\nb\r\n'))
    expect([events, transport.aborting, transport.cause]).toEqual([['a'], true, error])
    expect(reports.splice(0)).toMatchObject([{ error, subject: protocol }])
  })
})

describe('the loop', () => {
  it('finishes one line before it begins the next, also when a hook feeds it', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = (line) => {
      if (line === 'a') protocol.dataReceived(toBytes('inner\r\nin'))
      events.push(`end ${line}`)
    }
    transport.receive('a\r\nb\r\n')
    protocol.dataReceived(toBytes('ner\r\n'))
    expect(events).toEqual(['a', 'end a', 'b', 'end b', 'inner', 'end inner', 'inner', 'end inner'])
  })

  it('delivers 100,000 frames of one chunk, at one depth of the stack', () => {
    const depths = new Set<number>()
    let count = 0
    class Deep extends LineReceiver {
      override lineReceived(): void {
        if (++count % 20_000 === 1) depths.add(new Error().stack!.split('\n').length)
        this.pauseProducing()
        this.resumeProducing()
      }
    }
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 1000
    connected(new Deep()).receive('\r\n'.repeat(100_000))
    Error.stackTraceLimit = limit
    expect([count, depths.size]).toEqual([100_000, 1])
  })

  it('tells a trace where each frame was in the stream, and which frames left', () => {
    const seen: unknown[] = []
    const untrace = setTracer({
      at: (kind, on, fields) => {
        if (kind.startsWith('frame')) seen.push([kind, on, fields?.['off'], fields?.['n'], fields?.['type']])
        return 0
      },
      begin: () => 0,
      end: () => {},
      id: () => '',
      mark: () => {},
      marked: () => undefined,
    })
    const { protocol, transport } = lineReceiver()
    for (const chunk of ['ab', 'c\r\n\r\nd', '\r', '\n']) transport.receive(chunk)
    protocol.sendLine('xy')
    untrace()
    expect(seen).toEqual([
      ['frame.in', transport, 0, 5, 'line'],
      ['frame.in', transport, 5, 2, 'line'],
      ['frame.in', transport, 7, 3, 'line'],
      ['frame.out', transport, undefined, 4, 'line'],
    ])
  })
})
