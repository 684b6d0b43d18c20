/** UDP between simulated hosts: what arrives, what is lost on the way, who hears that nobody listens. */
import { CannotListenError, ConnectError, IPv4Address, MessageLengthError, UnsupportedAddress } from 'couplet'
import { type HostOptions, type LinkOptions, Sim } from 'couplet/sim'
import { failureResultOf, successResultOf } from 'couplet/testing'
import { expect, it } from 'vitest'
import { Inbox, tryDatagrams, udp } from './datagrams.ts'
import { outcome } from './stage.ts'

function world(link: LinkOptions = {}, host: HostOptions = {}) {
  const sim = new Sim({ latency: 5, ...link })
  const [server, client] = [sim.host('server', host), sim.host('client', host)]
  const [there, here] = [new Inbox(), new Inbox()]
  const opened = server.reactor.listenUDP(53, there)
  const bound = client.reactor.listenUDP(0, here)
  sim.advance()
  successResultOf(opened)
  successResultOf(bound)
  const send = (text: string): void => here.transport.write(text, udp('10.0.0.1', 53))
  return { sim, server, client, there, here, send }
}

it('carries datagrams, the empty one too, after the time that the way takes', () => {
  const { sim, there, here, send } = world()
  send('one')
  send('')
  sim.advance(4.9)
  expect(there.got).toEqual([])
  sim.advance(0.1)
  const from = String(udp('10.0.0.2', here.transport.host.port))
  expect(there.got).toEqual([
    ['one', from],
    ['', from],
  ])
})

it('leaves the memory of a datagram to whoever wrote it', () => {
  const { sim, there, here } = world()
  const memory = new TextEncoder().encode('mine')
  here.transport.write(memory, udp('10.0.0.1', 53))
  memory.fill(33)
  sim.advance(10)
  expect(there.got[0]?.[0]).toBe('mine')
})

it('loses some, and nobody hears of it', () => {
  const { sim, there, here, send } = world({ loss: 50 })
  for (let index = 0; index < 100; index++) send(String(index))
  sim.advance(1000)
  expect(there.got.length).toBeGreaterThan(25)
  expect(there.got.length).toBeLessThan(75)
  expect([here.lost, here.refusals]).toEqual([0, 0])
})

it('brings some twice', () => {
  const { sim, there, send } = world({ duplicates: 50 })
  for (let index = 0; index < 100; index++) send(String(index))
  sim.advance(1000)
  expect(there.got.length).toBeGreaterThan(125)
  expect(new Set(there.got.map(([text]) => text)).size).toBe(100)
})

it.each<LinkOptions>([{ stragglers: 20 }, { jitter: 10 }])('brings some in another order: %o', (link) => {
  const { sim, there, send } = world(link)
  const sent = Array.from({ length: 100 }, (_, index) => String(index))
  sent.forEach(send)
  sim.advance(1000)
  const got = there.got.map(([text]) => text)
  expect(got).not.toEqual(sent)
  expect(got.toSorted()).toEqual(sent.toSorted())
})

it('has no way for one that is too long for it, and refuses one that is too long for UDP', () => {
  const { sim, there, here, send } = world({ longestDatagram: 1472 })
  send('x'.repeat(1473))
  send('y'.repeat(1472))
  sim.advance(10)
  expect(there.got.map(([text]) => text.length)).toEqual([1472])
  expect(() => send('x'.repeat(65_508))).toThrow(MessageLengthError)
  expect(here.lost).toBe(0)
})

it('tells who is connected that nobody listens, and nobody else', () => {
  const { sim, server, client, here, there } = world()
  void there.transport.stopListening()
  here.transport.write('anybody?', udp('10.0.0.1', 53))
  sim.advance(20)
  expect(here.refusals).toBe(0)

  const connected = here.transport.connect('10.0.0.1', 53)
  sim.advance()
  successResultOf(connected)
  here.transport.write('anybody?')
  sim.advance(9)
  expect(here.refusals).toBe(0)
  sim.advance(1)
  expect(here.refusals).toBe(1)

  server.crash('power')
  here.transport.write('anybody?')
  sim.advance(1000)
  expect(here.refusals).toBe(1)
  expect(client.netstat()).toMatchObject([{ state: 'datagrams', remote: '10.0.0.1:53' }])
})

it('can be decided about by a rule, packet by packet', () => {
  const { sim, there, here } = world()
  const connected = here.transport.connect('10.0.0.1', 53)
  sim.advance()
  successResultOf(connected)
  sim.rule(({ kind, bytes }) => (kind !== 'datagram' ? undefined : bytes?.[0] === 0x61 ? 'drop' : 'reset'))
  here.transport.write('a')
  here.transport.write('b')
  sim.advance(100)
  expect(there.got).toEqual([])
  expect(here.refusals).toBe(1)
})

it('waits in the kernel for a program that is busy, as far as there is room', () => {
  const { sim, server, there, send } = world()
  server.busy(1000)
  for (let index = 0; index < 300; index++) send('x'.repeat(1000))
  sim.advance(999)
  expect(there.got).toEqual([])
  expect(server.netstat()[0]).toMatchObject({ unread: 212_000 })
  sim.advance(1)
  expect(there.got).toHaveLength(212)
})

it('waits while the way is held, and is lost while it is cut', () => {
  const { sim, there, send } = world()
  const release = sim.link('client', 'server').hold()
  send('held')
  sim.advance(100)
  const repair = sim.link('client', 'server').partition()
  release()
  sim.advance(100)
  expect(there.got).toEqual([])
  repair()
  send('free')
  sim.advance(100)
  expect(there.got.map(([text]) => text)).toEqual(['free'])
})

it('is heard by nobody after a crash, and by the next program after a restart', () => {
  const sim = new Sim()
  const inboxes: Inbox[] = []
  const server = sim.host('server')
  server.run((reactor) => void reactor.listenUDP(53, inboxes[inboxes.push(new Inbox()) - 1]!))
  const here = new Inbox()
  void sim.host('client').reactor.listenUDP(0, here)
  sim.advance()
  server.crash()
  inboxes[0]!.transport.write('from beyond', udp('10.0.0.2', here.transport.host.port))
  here.transport.write('one', udp('10.0.0.1', 53))
  sim.advance(10)
  server.restart()
  sim.advance(10)
  here.transport.write('two', udp('10.0.0.1', 53))
  sim.advance(10)
  expect(inboxes.map(({ got }) => got.map(([text]) => text))).toEqual([[], ['two']])
  expect(here.got).toEqual([])
})

it('refuses what cannot be', () => {
  const { sim, server, client, here } = world()
  const fails = [
    server.reactor.listenUDP(53, new Inbox()),
    server.reactor.listenUDP(0, new Inbox(), { interface: '10.0.0.9' }),
  ]
  const wrongType = server.reactor.bind(new IPv4Address('TCP', '10.0.0.1', 53))
  server.descriptorLimit = 1
  fails.push(server.reactor.listenUDP(0, new Inbox()))
  sim.advance()
  for (const failed of fails) expect(failureResultOf(failed).value).toBeInstanceOf(CannotListenError)
  expect(failureResultOf(wrongType).value).toBeInstanceOf(UnsupportedAddress)
  const nowhere = here.transport.connect('192.0.2.1', 9)
  sim.advance()
  expect(failureResultOf(nowhere).value).toBeInstanceOf(ConnectError)
  here.transport.write('lost', udp('192.0.2.1', 9))
  sim.advance()
  expect(here.lost).toBe(1)
  expect(outcome(client.reactor.listenUDP(53, new Inbox())).error).toBeUndefined()
})

it('goes wrong in a hundred ways, and never in a way that it may not', () => {
  for (let seed = 0; seed < 100; seed++) tryDatagrams(seed)
  expect(tryDatagrams(7).hash).toBe(tryDatagrams(7).hash)
})
