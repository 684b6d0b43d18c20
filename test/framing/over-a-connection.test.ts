/** FileSender and messages over a connection of the simulated network: backpressure, the close, and what broke. */
import {
  type ConnectionClosed,
  ConnectionAborted,
  ConnectionDone,
  Factory,
  FileSender,
  type IPv4Address,
  LineReceiver,
  messages,
  Protocol,
  type Report,
  setReporter,
  TCPClientEndpoint,
  toText,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, successResultOf } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

/** A server with `protocol`, and a client that is connected to it. */
async function connection<P extends Protocol>(protocol: Protocol, client: P): Promise<{ sim: Sim; client: P }> {
  const sim = new Sim()
  const listening = sim.host('server').reactor.listenTCP(
    0,
    Factory.forProtocol(() => protocol),
  )
  sim.advance(1000)
  const { port } = successResultOf(listening).host as IPv4Address
  const endpoint = new TCPClientEndpoint(sim.host('client').reactor, 'server', port)
  const connecting = endpoint.connect(Factory.forProtocol(() => client))
  await sim.runFor(1000)
  return { sim, client: successResultOf(connecting) }
}

describe('a file', () => {
  it('is sent no faster than it is read, whole, before the close', async () => {
    let highest = 0
    let taken = 0
    class Sender extends Protocol {
      sent: number | undefined
      override async connectionMade(): Promise<void> {
        this.sent = await new FileSender().beginFileTransfer(this.#chunks(), this.transport)
        this.transport.loseConnection()
      }
      async *#chunks(): AsyncGenerator<Uint8Array, void> {
        for (let count = 0; count < 100; count++) {
          highest = Math.max(highest, this.transport.queued)
          taken++
          yield new Uint8Array(50_000).fill(count)
        }
      }
    }
    const sender = new Sender()
    class Slow extends AccumulatingProtocol {
      override connectionMade(): void {
        this.transport.pauseProducing()
      }
    }
    const { sim, client } = await connection(sender, new Slow())
    await sim.runFor(10_000)
    const whilePaused = taken
    expect(whilePaused).toBeLessThan(20)
    client.transport.resumeProducing()
    await sim.runFor(60_000)
    expect([sender.sent, client.value().length, client.closedReason?.name]).toEqual([
      5_000_000,
      5_000_000,
      'ConnectionDone',
    ])
    expect(client.value().every((byte, index) => byte === Math.floor(index / 50_000))).toBe(true)
    expect(highest).toBeLessThanOrEqual(65_536 + 50_000)
  })
})

describe('a loop over lines', () => {
  it('holds back a peer that sends more than is taken, and gets it all', async () => {
    class Reader extends LineReceiver {
      override lineReceived(): void {}
    }
    const reader = new Reader()
    const lines = messages(reader)
    const { sim, client } = await connection(reader, new AccumulatingProtocol())
    const sent = Array.from({ length: 2000 }, (_, index) => `${index} ${'x'.repeat(400)}`)
    client.transport.write(sent.map((line) => `${line}\r\n`).join(''))
    client.transport.loseConnection()
    await sim.runFor(1000)
    expect(reader.transport.paused).toBe(true)
    const seen: string[] = []
    const loop = (async () => {
      for await (const line of lines) seen.push(toText(line))
    })()
    await sim.runFor(60_000)
    await loop
    expect(seen).toEqual(sent)
  })

  it('that throws ends the connection as ConnectionAborted, with that as the cause, reported once', async () => {
    const reports: Report[] = []
    onTestFinished(setReporter((report) => reports.push(report)))
    const error = new Error('no such word')
    let reason: ConnectionClosed | undefined
    class Strict extends LineReceiver {
      override lineReceived(): void {}
      override async connectionMade(): Promise<void> {
        for await (const line of messages(this)) if (toText(line) === 'b') throw error
      }
      override connectionLost(lost: ConnectionClosed): void {
        reason = lost
      }
    }
    const { sim, client } = await connection(new Strict(), new AccumulatingProtocol())
    client.transport.write('a\r\nb\r\nc\r\n')
    await sim.runFor(60_000)
    expect(reason).toBeInstanceOf(ConnectionAborted)
    expect(reason?.cause).toBe(error)
    expect(reports).toMatchObject([{ error }])
  })

  it('that is left closes after what was written, and both ends are clean', async () => {
    let reason: ConnectionClosed | undefined
    class Once extends LineReceiver {
      override lineReceived(): void {}
      override async connectionMade(): Promise<void> {
        for await (const line of messages(this)) {
          this.sendLine(line)
          break
        }
      }
      override connectionLost(lost: ConnectionClosed): void {
        reason = lost
      }
    }
    const { sim, client } = await connection(new Once(), new AccumulatingProtocol())
    client.transport.write('a\r\n'.repeat(1000))
    await sim.runFor(60_000)
    expect(client.text()).toBe('a\r\n')
    expect([reason, client.closedReason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
  })
})
