/** A host with several addresses, some of which do not answer: how long it takes, in virtual time. */
import {
  type Address,
  AllAttemptsFailed,
  connectProtocol,
  CancelledError,
  Deferred,
  type DialOptions,
  Factory,
  HostnameEndpoint,
  type ListeningPort,
  Protocol,
  TCPTimedOutError,
} from 'couplet'
import { Sim, type SimReactor } from 'couplet/sim'
import { beforeEach, describe, expect, it } from 'vitest'
import { reports } from '../reports.ts'

const roundTrip = 400

let sim: Sim
let server: SimReactor
let client: SimReactor
beforeEach(() => {
  sim = new Sim({ latency: roundTrip / 2 })
  server = sim.host('poems.example', { addresses: ['2001:db8::1', '10.0.0.1'] }).reactor
  client = sim.host('client', { addresses: ['2001:db8::2', '10.0.0.2'] }).reactor
})

/** What `client` sends to these addresses gets lost. */
function blackHole(...lost: readonly string[]): void {
  const dial = client.dial.bind(client)
  client.dial = (address: Address, options: DialOptions) => {
    if (!('host' in address) || !lost.includes(address.host)) return dial(address, options)
    const { timeout = Infinity } = options
    const attempt = new Deferred<never>(() => timer.cancel())
    const timer = client.callLater(timeout, () => attempt.errback(new TCPTimedOutError(address, timeout)))
    return attempt
  }
}

class Reader extends Protocol {}

async function listen(): Promise<ListeningPort> {
  const factory = Factory.forProtocol(() => new Reader())
  return await sim.runUntil(server.listenTCP(7, factory))
}

const endpoint = (): HostnameEndpoint => new HostnameEndpoint(client, 'poems.example', 7)

describe('a host 400 ms away', () => {
  it('whose first address is a black hole is reached within 250 ms and one round trip', async () => {
    await listen()
    blackHole('2001:db8::1')
    const begun = sim.now
    const { transport } = await sim.runUntil(connectProtocol(endpoint(), new Reader()))
    expect([String(transport.peer), sim.now - begun]).toEqual(['10.0.0.1:7', 250 + roundTrip])
    expect(client.pendingCalls()).toEqual([])
  })

  it('is reached within one round trip the next time', async () => {
    await listen()
    blackHole('2001:db8::1')
    const again = endpoint()
    await sim.runUntil(connectProtocol(again, new Reader()))
    const begun = sim.now
    await sim.runUntil(connectProtocol(again, new Reader()))
    expect(sim.now - begun).toBe(roundTrip)
  })

  it('whose addresses answer, however late, is reached by the first: nothing gives up after 250 ms', async () => {
    const port = await listen()
    const { host } = port
    const v6 = await sim.runUntil(
      server.listenTCP(
        7,
        Factory.forProtocol(() => new Reader()),
        { interface: '2001:db8::1' },
      ),
    )
    expect(String(host)).toBe('0.0.0.0:7')
    const begun = sim.now
    const { transport } = await sim.runUntil(connectProtocol(endpoint(), new Reader()))
    expect([String(transport.peer), sim.now - begun]).toEqual(['[2001:db8::1]:7', roundTrip])
    // The other attempt was on its way when the first one won; nothing of it comes in.
    await sim.runFor(10_000)
    expect([port.connections, v6.connections]).toEqual([0, 1])
  })

  it('none of whose addresses can be reached fails within 30 s, and says why for each', async () => {
    blackHole('2001:db8::1')
    const begun = sim.now
    const connecting = connectProtocol(endpoint(), new Reader()).addErrback(({ value }) => value as AllAttemptsFailed)
    const error = await sim.runUntil(connecting)
    expect(sim.now - begun).toBe(30_000)
    expect(error).toBeInstanceOf(AllAttemptsFailed)
    expect((error as AllAttemptsFailed).message).toBe(
      'poems.example:7: none of 2 addresses could be reached: 10.0.0.1:7: connection refused (is the server running?);' +
        ' [2001:db8::1]:7: no connection within 30000 ms',
    )
    expect(sim.pending).toBe(0)
  })

  it('of a thousand addresses tries as many as 30 s allow, and says so in a message that can be read', async () => {
    const addresses = Array.from({ length: 1000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
    sim.host('many.example', { addresses })
    blackHole(...addresses)
    const endpoint = new HostnameEndpoint(client, 'many.example', 7)
    const connecting = connectProtocol(endpoint, new Reader()).addErrback(({ value }) => value)
    const begun = sim.now
    const { errors, message } = (await sim.runUntil(connecting)) as AllAttemptsFailed
    expect([sim.now - begun, errors.length, sim.pending]).toEqual([30_000, 1000, 0])
    expect(errors.filter((error) => error instanceof TCPTimedOutError).length).toBe(30_000 / 250)
    expect(errors.at(-1)?.message).toBe('10.1.3.231:7: was not tried, because the time was over')
    expect([message.length < 1000, message.slice(-14)]).toEqual([true, '; and 992 more'])
  })

  it('leaves nothing on either side, whenever the attempt is given up', async () => {
    const collected = reports()
    blackHole('2001:db8::1')
    const port = await listen()
    const ends: string[] = []
    for (let ms = 0; ms <= 700; ms += 10) {
      const controller = new AbortController()
      const connecting = endpoint()
        .connect(
          Factory.forProtocol(() => new Reader()),
          { signal: controller.signal },
        )
        .addCallbacks(
          ({ transport }) => {
            ends.push('made')
            transport.abortConnection()
          },
          ({ value }) =>
            void ends.push((value as { cause: unknown }).cause instanceof CancelledError ? 'given up' : '?'),
        )
      await sim.runFor(ms)
      if (ms % 20 === 0) controller.abort()
      else connecting.cancel()
      expect(client.pendingCalls()).toEqual([])
    }
    expect(ends.filter((end) => end === 'given up').length).toBe(65)
    expect(ends.slice(65)).toEqual(Array.from({ length: 6 }, () => 'made'))
    await sim.run()
    expect([port.connections, sim.pending, collected]).toEqual([0, 0, []])
  })
})
