import { Layer, throttle, trafficLog } from 'couplet'
import { describe, expect, it } from 'vitest'
import { Echo, ServerInSim } from './server-in-sim.ts'

describe('trafficLog', () => {
  it('tells what happens on each connection, a line for each event', () => {
    const server = new ServerInSim()
    const lines: string[] = []
    server.serve([trafficLog((line) => lines.push(line))])
    server.say('hi').transport.loseConnection()
    server.sim.advance()
    server.connect('10.0.0.3')
    server.last.transport.loseConnection()
    server.last.transport.loseWriteConnection()
    server.sim.advance()
    expect(lines).toEqual([
      '1 10.0.0.2:49152 made',
      '1 < 2 bytes "hi"',
      '1 > 2 bytes "hi"',
      '1 lost: ConnectionDone "connection closed cleanly"',
      '2 10.0.0.3:49152 made',
      '2 loseConnection',
      '2 loseWriteConnection',
      '2 lost: ConnectionDone "connection closed cleanly"',
    ])
  })

  it('shows no byte of the peer as it is, and not too many', () => {
    const server = new ServerInSim()
    const lines: string[] = []
    server.serve([trafficLog((line) => lines.push(line), { limit: 8 })])
    server.say(new Uint8Array([0x1b, 0x5b, 0x32, 0x4a, 0x0d, 0x0a, 0x22, 0xff]))
    server.say('a very long line')
    server.last.transport.abortConnection(new Error('enough'))
    server.sim.advance()
    expect(lines.filter((line) => line.includes('<'))).toEqual([
      '1 < 8 bytes "\\x1b[2J\\r\\n\\"\\xff"',
      '2 < 16 bytes "a very l"…',
    ])
    expect(lines.at(-1)).toContain('enough')
    expect(lines.join('').match(/[^\x20-\x7e…]/)).toBeNull()
  })

  it('sees what its place among the policies lets it see', () => {
    const server = new ServerInSim()
    const wire: string[] = []
    const inner: string[] = []
    server.serve([
      trafficLog((line) => wire.push(line)),
      throttle(server.reactor, { write: 10, burst: 1 }),
      (connection) => new Layer(connection),
      trafficLog((line) => inner.push(line)),
    ])
    server.say('hello')
    server.sim.advance(10_000)
    expect(inner.filter((line) => line.includes('>'))).toEqual(['1 > 5 bytes "hello"'])
    expect(wire.filter((line) => line.includes('>'))).toHaveLength(5)
  })

  it('ends nothing when its sink fails', () => {
    const server = new ServerInSim()
    const error = new Error('disk full')
    server.serve([
      trafficLog(() => {
        throw error
      }),
    ])
    expect(server.say('hi').text()).toBe('hi')
    expect(server.reports.map((report) => report.error)).toEqual([error, error, error])
  })

  it('escapes what the connection ended with, too', () => {
    const server = new ServerInSim()
    const lines: string[] = []
    class Rude extends Echo {
      override dataReceived(): never {
        throw new Error('\x1b[2J')
      }
    }
    server.serve([trafficLog((line) => lines.push(line))], () => new Rude())
    server.say('x')
    expect(lines.at(-1)).toContain('lost: ConnectionAborted')
    expect(lines.join('').match(/[^\x20-\x7e]/)).toBeNull()
  })
})
