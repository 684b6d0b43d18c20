import {
  ConnectionAborted,
  type ConnectionClosed,
  Factory,
  type Hook,
  IncompleteFrame,
  Layer,
  LineReceiver,
  type Policy,
  Protocol,
  withPolicies,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Echo, ServerInSim } from './server-in-sim.ts'

const plain: Policy = (connection) => new Layer(connection)
const optional = [
  'inputResumed',
  'inputPending',
  'inputEnded',
  'readConnectionLost',
  'writeConnectionLost',
  'stopping',
] as const

class Plain extends Protocol {}
class HalfClosing extends AccumulatingProtocol {
  resumed = 0
  override inputResumed(): Hook {
    this.resumed++
  }
  override inputPending(): number {
    return 0
  }
  override inputEnded(): Error | undefined {
    return undefined
  }
  override readConnectionLost(): Hook {
    this.transport.write('one more thing')
    this.transport.loseConnection()
  }
  override writeConnectionLost(): Hook {}
  override stopping(): Hook {}
}

describe('a layer', () => {
  it('has the optional hooks that the protocol above it has, and no others', () => {
    const has = (protocol: Protocol): readonly string[] => {
      const server = new ServerInSim()
      const layers: Layer[] = []
      const policy: Policy = (connection) => {
        const layer = new Layer(connection)
        layers.push(layer)
        return layer
      }
      server.listen(
        withPolicies(
          Factory.forProtocol(() => protocol),
          policy,
        ),
      )
      server.connect()
      return optional.filter((hook) => layers[0]?.[hook] !== undefined)
    }
    expect(has(new Plain())).toEqual([])
    expect(has(new HalfClosing())).toEqual(optional)
  })

  it('lets a protocol write on after the peer has ended, if it wants to', () => {
    const server = new ServerInSim()
    server.serve([plain, plain], () => new HalfClosing())
    const client = server.say('?')
    client.transport.loseWriteConnection()
    server.sim.advance()
    expect(client.text()).toBe('one more thing')
    expect(client.closedReason?.name).toBe('ConnectionDone')
  })

  it('says that a message was cut short, as the protocol says it', () => {
    class Lines extends LineReceiver {
      reason: ConnectionClosed | undefined
      override lineReceived(): void {}
      override connectionLost(reason: ConnectionClosed): void {
        this.reason = reason
      }
    }
    const server = new ServerInSim()
    const lines = new Lines()
    server.listen(
      withPolicies(
        Factory.forProtocol(() => lines),
        plain,
        plain,
      ),
    )
    server.say('half a li').transport.loseConnection()
    server.sim.advance()
    expect(lines.reason?.name).toBe('ConnectionLost')
    expect(lines.reason?.cause).toBeInstanceOf(IncompleteFrame)
  })

  it('is not what errors name: that is the protocol behind it', () => {
    const server = new ServerInSim()
    class Clumsy extends Echo {
      override dataReceived(): never {
        throw new Error('oops')
      }
    }
    server.serve([plain, plain], () => new Clumsy())
    server.say('x')
    expect(server.reports[0]?.what).toContain('dataReceived of Clumsy failed')
    expect(server.reports[0]?.subject).toBe(server.last)
    expect(server.last.closedReason).toBeInstanceOf(ConnectionAborted)
  })

  it('tells a protocol of no end if it was not told of a beginning', () => {
    class Hasty extends Layer {
      override connectionMade(): Hook {
        throw new Error('no')
      }
    }
    const server = new ServerInSim()
    server.serve([plain, (connection) => new Hasty(connection), plain])
    server.connect()
    server.sim.advance()
    expect([server.last.made, server.last.closedReason]).toEqual([0, undefined])
    expect(server.ends.map(({ name }) => name)).toEqual(['ConnectionAborted'])
  })

  it('that holds input back lets the protocol pause and resume beside it', () => {
    class Holding extends Layer {
      hold(): void {
        this.holdInput()
      }
      letGo(): void {
        this.releaseInput()
      }
    }
    const server = new ServerInSim()
    const layers: Holding[] = []
    const policy: Policy = (connection) => {
      const layer = new Holding(connection)
      layers.push(layer)
      return layer
    }
    server.serve([policy, plain], () => new HalfClosing())
    const client = server.say('1')
    const { transport } = server.last
    const [layer] = layers
    const heardAfter = (...steps: (() => void)[]): string => {
      for (const step of steps) step()
      client.transport.write('.')
      server.sim.advance()
      return `${server.last.text()} ${String(transport.paused)} ${(server.last as HalfClosing).resumed}`
    }
    const hold = (): void => layer?.hold()
    const letGo = (): void => layer?.letGo()
    const pause = (): void => transport.pauseProducing()
    const resume = (): void => transport.resumeProducing()
    expect(heardAfter(hold)).toBe('1 false 0')
    expect(heardAfter(pause)).toBe('1 true 0')
    expect(heardAfter(letGo)).toBe('1 true 0')
    expect(heardAfter(hold, resume)).toBe('1 false 1')
    expect(heardAfter(letGo)).toBe('1..... false 2')
    expect(heardAfter(pause, resume)).toBe('1...... false 3')
    expect(heardAfter(letGo, resume, hold, hold, letGo)).toBe('1....... false 4')
  })
})
