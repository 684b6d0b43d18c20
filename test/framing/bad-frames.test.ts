/**
 * What a peer can send to no good end, over a connection of the simulated network: one typed error that says what and
 * who, the connection closed, what came before delivered, and the next client served.
 */
import type { Protocol } from 'couplet'
import {
  type ConnectionClosed,
  Factory,
  type IPv4Address,
  LineReceiver,
  type Report,
  setReporter,
  TCPClientEndpoint,
  TextLineReceiver,
  toText,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, successResultOf } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { toLatin1 } from './line-model.ts'
import { formats } from './string-model.ts'

type Build = (received: (message: string) => void) => Protocol

const lines: Build = (received) =>
  new (class extends LineReceiver {
    override lineReceived(line: Uint8Array): void {
      received(toText(line))
    }
  })()
const text: Build = (received) =>
  new (class extends TextLineReceiver {
    override lineReceived(line: string): void {
      received(line)
    }
  })()
const [netstrings, int8s, int16s, int32s, varints] = formats.map(
  ({ build }): Build =>
    (received) =>
      build((string) => received(toText(string))),
) as [Build, Build, Build, Build, Build]

const long = 'x'.repeat(16_387)
const cases: [string, Build, string, string, string, RegExp][] = [
  ['a line that does not end', lines, 'good\r\n', long, 'LineTooLong', /16385 bytes .*limit is 16384/],
  ['a line that is too long', lines, 'good\r\n', `${long}\r\nbad\r\n`, 'LineTooLong', /16385 bytes .*limit is 16384/],
  ['text that is not UTF-8', text, 'good\r\n', '\xff\r\nbad\r\n', 'InvalidUTF8', /UTF-8.*"\\xff"/],
  ['a line of text too long', text, 'good\r\n', long, 'LineTooLong', /16385 bytes .*limit is 16384/],
  ['no netstring', netstrings, '4:good,', '5\n', 'BadNetstring', /"\\n"/],
  ['a long netstring', netstrings, '4:good,', '1048577:', 'FrameTooLong', /1048577 bytes .*limit is 1048576/],
  ['a long int32 string', int32s, '\0\0\0\x04good', '\0\x10\0\x01', 'FrameTooLong', /1048577 bytes .*limit is 1048576/],
  ['a padded varint', varints, '\x04good', '\x80\0', 'BadVarint', /ends in a zero, at byte 1/],
  ['a long varint string', varints, '\x04good', '\x81\x80\x40', 'FrameTooLong', /1048577 bytes .*limit is 1048576/],
  ['a cut line', lines, 'good\r\n', 'half', 'IncompleteFrame', /4 bytes had arrived/],
  ['a cut netstring', netstrings, '4:good,', '5:hal', 'IncompleteFrame', /5 of 8 bytes had arrived/],
  ['a cut int8 string', int8s, '\x04good', '\x05hal', 'IncompleteFrame', /4 of 6 bytes had arrived/],
  ['a cut int16 string', int16s, '\0\x04good', '\0', 'IncompleteFrame', /1 bytes had arrived/],
  ['a cut int32 string', int32s, '\0\0\0\x04good', '\0\0\0\x05hal', 'IncompleteFrame', /7 of 9 bytes had arrived/],
  ['a cut varint string', varints, '\x04good', '\x05hal', 'IncompleteFrame', /4 of 6 bytes had arrived/],
]

describe('a server that is sent', () => {
  it.each(cases)(
    '%s closes that connection, says why and whose, and serves on',
    (_, build, good, bad, name, message) => {
      const sim = new Sim()
      const reports: Report[] = []
      onTestFinished(setReporter((report) => reports.push(report)))
      const heard: string[] = []
      const ends: { peer: string; reason: ConnectionClosed }[] = []
      const factory = Factory.forProtocol(() => {
        const protocol = build((one) => heard.push(one))
        protocol.connectionLost = (reason) => void ends.push({ peer: String(protocol.transport.peer), reason })
        return protocol
      })
      const listening = sim.host('server').reactor.listenTCP(0, factory)
      sim.advance(10_000)
      const { port } = successResultOf(listening).host as IPv4Address
      const endpoint = new TCPClientEndpoint(sim.host('client').reactor, 'server', port)
      const send = (bytes: string): void => {
        const connecting = endpoint.connect(Factory.forProtocol(() => new AccumulatingProtocol()))
        sim.advance(10_000)
        const { transport } = successResultOf(connecting)
        transport.write(toLatin1(bytes))
        // A cut frame is one only when the peer ends.
        transport.loseConnection()
        sim.advance(10_000)
      }
      send(good + bad)
      expect(heard).toEqual(['good'])
      expect(ends).toHaveLength(1)
      const { peer, reason } = ends[0]!
      expect(reason.name).toBe(name === 'IncompleteFrame' ? 'ConnectionLost' : 'ConnectionAborted')
      expect(reason.cause).toMatchObject({ name, message: expect.stringMatching(message) })
      expect(reason.message).toMatch(message)
      expect(reason.message.startsWith(`${peer}: `)).toBe(true)
      expect(reason.message).toMatch(/^[ -~]*$/)
      send(good)
      expect([heard, ends[1]?.reason.name]).toEqual([['good', 'good'], 'ConnectionDone'])
      expect(reports).toEqual([])
    },
  )

  it('100,000 frames at once serves others in between', () => {
    // The turn belongs to one chunk, 64 KiB at most on a socket; so others wait for that, and not for all there is.
    const sim = new Sim()
    const order: string[] = []
    let count = 0
    const factory = Factory.forProtocol(() =>
      netstrings((one) => {
        count++
        if (order.at(-1) !== one) order.push(one)
      }),
    )
    const listening = sim.host('server').reactor.listenTCP(0, factory)
    sim.advance(10_000)
    const { port } = successResultOf(listening).host as IPv4Address
    const endpoint = new TCPClientEndpoint(sim.host('client').reactor, 'server', port)
    const [many, few] = [0, 1].map(() => endpoint.connect(Factory.forProtocol(() => new AccumulatingProtocol())))
    sim.advance(10_000)
    successResultOf(many!).transport.write('1:m,'.repeat(100_000))
    successResultOf(few!).transport.write('1:f,')
    sim.advance(10_000)
    expect(count).toBe(100_001)
    expect(order).toContain('f')
    expect(order.indexOf('f')).toBeLessThan(order.length - 1)
  })
})
