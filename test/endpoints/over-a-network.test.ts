/** Endpoints over a network: the same texts that name real places name simulated ones. */
import {
  clientFromString,
  connectProtocol,
  ConnectionRefusedError,
  Cooperator,
  Deferred,
  deferLater,
  DNSLookupError,
  Factory,
  type Hook,
  LoopingCall,
  Protocol,
  serverFromString,
  TCPClientEndpoint,
  toText,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { beforeEach, describe, expect, it } from 'vitest'

/** Sends a letter every 100 ms, four in all. */
class Poet extends Protocol {
  override connectionMade(): Hook {
    const letters = 'poem'[Symbol.iterator]()
    const dripping = new LoopingCall(poet.reactor, () => {
      const { value, done } = letters.next()
      if (done !== true) return this.transport.write(value)
      dripping.stop()
      this.transport.loseConnection()
    })
    return dripping.start(100, false)
  }
}

class Reader extends Protocol {
  poem = ''
  readonly done = new Deferred<string>()
  override dataReceived(chunk: Uint8Array): void {
    this.poem += toText(chunk)
  }
  override connectionLost(): void {
    this.done.callback(this.poem)
  }
}

let sim: Sim
let poet: ReturnType<Sim['host']>
let reader: ReturnType<Sim['host']>
beforeEach(() => {
  sim = new Sim({ latency: 10 })
  poet = sim.host('poet')
  reader = sim.host('reader')
})

describe('endpoints', () => {
  it('connect a reader to a poet, by name', async () => {
    const poets = serverFromString(poet.reactor, 'tcp:10000')
    const port = await sim.runUntil(poets.listen(Factory.forProtocol(() => new Poet())))
    expect(String(port.host)).toBe('0.0.0.0:10000')
    const endpoint = clientFromString(reader.reactor, 'tcp:poet:10000:timeout=1s')
    const connected = await sim.runUntil(connectProtocol(endpoint, new Reader()))
    expect(await sim.runUntil(connected.done)).toBe('poem')
    await sim.runUntil(port.stopListening({ drain: 1000 }))
    expect(port.connections).toBe(0)
  })

  it('say that nobody listens, or that nobody is called so', async () => {
    const nobody = new TCPClientEndpoint(reader.reactor, 'poet', 10_000).connect(
      Factory.forProtocol(() => new Reader()),
    )
    await expect(sim.runUntil(nobody)).rejects.toBeInstanceOf(ConnectionRefusedError)
    const nowhere = connectProtocol(new TCPClientEndpoint(reader.reactor, 'nowhere', 10_000), new Reader())
    await expect(sim.runUntil(nowhere)).rejects.toBeInstanceOf(DNSLookupError)
  })

  it('cancelled on the way, leave nothing behind on either side', async () => {
    const lost: string[] = []
    const poets = Factory.forProtocol(() =>
      Object.assign(new Reader(), { connectionLost: (reason: Error) => void lost.push(reason.name) }),
    )
    const port = await sim.runUntil(serverFromString(poet.reactor, 'tcp:10000').listen(poets))
    const outcomes: string[] = []
    for (const ms of [0, 5, 15, 19, 25]) {
      const connecting = connectProtocol(clientFromString(reader.reactor, 'tcp:poet:10000'), new Reader())
      connecting.addCallbacks(
        (made) => {
          outcomes.push('made')
          made.transport.abortConnection()
        },
        ({ value }) => void outcomes.push((value as Error).name),
      )
      await sim.runFor(ms)
      connecting.cancel()
    }
    expect(outcomes).toEqual([...Array.from({ length: 4 }, () => 'ConnectingCancelledError'), 'made'])
    await sim.runFor(5)
    await sim.runUntil(port.stopListening({ drain: 1000 }))
    expect(port.connections).toBe(0)
    expect(reader.reactor.pendingCalls()).toEqual([])
  })
})

describe('tasks in virtual time', () => {
  it('wait, and take turns with everything else', async () => {
    const cooperator = new Cooperator(reader.reactor, { steps: 1 })
    const seen: string[] = []
    const steps = function* (name: string): Generator<unknown, string> {
      seen.push(`${name}1`)
      yield deferLater(reader.reactor, 100)
      seen.push(`${name}2 at ${reader.reactor.now()}`)
      return name
    }
    const done = [cooperator.coiterate(steps('a')), cooperator.coiterate(steps('b'))]
    for (const each of done) await sim.runUntil(each)
    expect(seen).toEqual(['a1', 'b1', 'a2 at 100', 'b2 at 100'])
  })
})
