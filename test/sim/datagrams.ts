/** A day of UDP under one seed: two hosts, a bad network, and what must hold of every datagram whatever happens. */
import { DatagramProtocol, type IPAddress, IPv4Address, setReporter, toText } from 'couplet'
import { type LinkOptions, type RandomStream, Sim } from 'couplet/sim'
import { expect } from 'vitest'

export const udp = (host: string, port: number): IPv4Address => new IPv4Address('UDP', host, port)

export class Inbox extends DatagramProtocol {
  readonly got: [text: string, from: string][] = []
  refusals = 0
  lost = 0
  ended = 0

  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    if (this.ended > 0) throw new Error('a datagram after the end')
    this.got.push([toText(datagram), String(from)])
  }
  override connectionRefused(): void {
    this.refusals++
  }
  override datagramLost(): void {
    this.lost++
  }
  override stopProtocol(): void {
    this.ended++
  }
}

/** Answers each datagram, and throws at each third. */
class Touchy extends Inbox {
  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    super.datagramReceived(datagram, from)
    this.transport.write(`re:${toText(datagram)}`, from)
    if (this.got.length % 3 === 0) throw new Error('every third')
  }
}

function weather(random: RandomStream): LinkOptions {
  return {
    latency: random.below(30),
    jitter: random.pick([0, 0, 5, 50]),
    loss: random.pick([0, 0, 5, 30]),
    duplicates: random.pick([0, 0, 10, 50]),
    stragglers: random.pick([0, 0, 30]),
    longestDatagram: random.pick([65_527, 65_527, 100]),
    bandwidth: random.pick([Infinity, 20_000]),
  }
}

/** Runs the day. @throws if something does not hold */
export function tryDatagrams(seed: number): Sim {
  const random = new Sim({ seed }).random('weather')
  const link = weather(random)
  const sim = new Sim({ seed, ties: 'shuffled', ...link })
  const [server, client] = [sim.host('server'), sim.host('client')]
  const [touchy, asking] = [new Touchy(), new Inbox()]
  void server.reactor.listenUDP(53, touchy)
  void client.reactor.listenUDP(0, asking)
  sim.advance(1)

  const partitioned = random.chance(1, 4)
  const paused = random.chance(1, 4)
  if (partitioned) {
    sim.faults([{ at: random.below(500), kind: 'partition', between: ['client', 'server'], for: random.below(500) }])
  }
  if (paused) sim.faults([{ at: random.below(500), kind: 'pause', host: 'server', for: random.below(500) }])
  const count = random.between(1, 12)
  const sent = Array.from({ length: count }, (_, index) => `${index}:${'x'.repeat(random.pick([0, 10, 90, 1400]))}`)
  for (const text of sent) {
    client.reactor.callLater(random.below(1000), () => asking.transport.write(text, udp('10.0.0.1', 53)))
  }
  let thrown = 0
  const restore = setReporter(({ error }) => {
    if (!(error instanceof Error && error.message === 'every third')) throw error
    thrown++
  })
  try {
    sim.advance(60_000)
  } finally {
    restore()
  }

  check(touchy.got, sent, `10.0.0.2:${asking.transport.host.port}`, link)
  check(
    asking.got,
    touchy.got.map(([text]) => `re:${text}`),
    '10.0.0.1:53',
    link,
  )
  const perfect = link.loss === 0 && !partitioned && link.longestDatagram === 65_527
  if (perfect) expect(new Set(touchy.got.map(([text]) => text)).size).toBe(count)
  expect(thrown).toBe(Math.floor(touchy.got.length / 3))

  for (const { transport } of [touchy, asking]) void transport.stopListening()
  asking.transport.write('too late', udp('10.0.0.1', 53))
  sim.advance(1000)
  expect([touchy.ended, asking.ended, sim.pending]).toEqual([1, 1, 0])
  expect([...server.netstat(), ...client.netstat()]).toEqual([])
  return sim
}

/** What arrived was sent, whole, by whom it says, and no more often than a network may repeat it. */
function check(got: Inbox['got'], sent: readonly string[], from: string, { duplicates }: LinkOptions): void {
  const most = duplicates === 0 ? 1 : 2
  for (const [text, sender] of got) {
    expect(sender).toBe(from)
    const times = sent.filter((one) => one === text).length
    expect(times).toBeGreaterThan(0)
    expect(got.filter(([one]) => one === text).length).toBeLessThanOrEqual(times * most)
  }
}
