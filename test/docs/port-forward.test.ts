/** docs/port-forward.md: each of its blocks is a file here, and does what the page says. */
import { readdirSync, readFileSync } from 'node:fs'
import { Factory, proxyEndpoint, TCPServerEndpoint } from 'couplet'
import { AccumulatingProtocol, type Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { ForwarderInSim, keepsHalf } from '../protocols/port-forward/forwarder-in-sim.ts'
import { WebFactory } from './port-forward/apologize.ts'
import { forward } from './port-forward/forward.ts'

const page = readFileSync(new URL('../../docs/port-forward.md', import.meta.url), 'utf8')
const folder = new URL('./port-forward/', import.meta.url)

describe('the page on port forwarding', () => {
  it('shows what runs', () => {
    const blocks = [...page.matchAll(/<!-- (\S+\.ts) -->\n\n```ts\n([^]*?)```/g)]
    expect(blocks.map(([, name]) => name).toSorted()).toEqual(readdirSync(folder).toSorted())
    for (const [, name = '', text] of blocks) expect(text).toBe(readFileSync(new URL(name, folder), 'utf8'))
  })

  it('forwards, and ends when all is said', async () => {
    const world = new ForwarderInSim().serve(keepsHalf)
    let over = false
    void forward(world.forwarder.reactor, 'tcp:8000', 'tcp:server:80').then(() => (over = true))
    await world.sim.runFor(10)
    const client = world.connect()
    await world.sim.runFor(100)
    const [server] = world.served as [Witness]
    client.transport.write('hello')
    world.forwarder.reactor.stop()
    await world.sim.runFor(100)
    expect([server.text, over]).toEqual(['hello', false])
    client.transport.loseConnection()
    server.transport.loseConnection()
    await world.sim.runFor(100)
    expect(over).toBe(true)
    world.isOver()
  })

  it('apologizes, or tells the server for whom it asks', () => {
    const world = new ForwarderInSim({}, (endpoint) => new WebFactory(endpoint)).forward()
    const client = world.connect({})
    world.sim.advance(10)
    expect([client.text.split('\r\n')[0], client.reason?.name]).toEqual(['HTTP/1.1 502 Bad Gateway', 'ConnectionDone'])
    const { reactor } = world.server
    const peers: string[] = []
    const behind = proxyEndpoint(new TCPServerEndpoint(reactor, 80), { trusted: ['10.0.0.2'], clock: reactor })
    behind.listen(
      Factory.forProtocol((peer) => {
        peers.push(String(peer))
        return new AccumulatingProtocol()
      }),
    )
    world.sim.advance(1)
    const lucky = world.connect()
    world.sim.advance(10)
    expect(peers).toEqual([String(lucky.transport.host)])
  })
})
