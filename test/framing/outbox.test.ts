/** The outbox: in order, no faster than the peer takes it, and bounded. */
import { connectProtocol, Factory, type IPv4Address, Outbox, type PushProducer, SendQueueOverflow } from 'couplet'
import { TCPClientEndpoint, toText } from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, connected, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

class Sender extends AccumulatingProtocol {
  roomMade = 0
  readonly maxUnsent: number | undefined
  readonly outbox = new Outbox(this, () => this.roomMade++)

  constructor(maxUnsent?: number) {
    super()
    this.maxUnsent = maxUnsent
  }
}

/** A sender, connected with a peer that reads nothing for now. */
function towardsSomebodySlow(sender = new Sender()): { sim: Sim; sender: Sender; peer: AccumulatingProtocol } {
  const sim = new Sim({ latency: 10 })
  const peer = new AccumulatingProtocol()
  const listening = sim.host('peer').reactor.listenTCP(
    0,
    Factory.forProtocol(() => peer),
  )
  sim.advance()
  const { port } = successResultOf(listening).host as IPv4Address
  connectProtocol(new TCPClientEndpoint(sim.host('sender').reactor, 'peer', port), sender)
  sim.advance(1000)
  peer.transport.pauseProducing()
  return { sim, sender, peer }
}

const lines = Array.from({ length: 5000 }, (_, index) => `${index} ${'blah '.repeat(200)}\n`)

describe('an outbox', () => {
  it('sends at once while there is room, and is no producer then', () => {
    const sender = new Sender()
    const transport = connected(sender)
    expect([sender.outbox.send('one '), sender.outbox.send(new Uint8Array([0x32]))]).toEqual([true, true])
    expect([transport.text(), transport.producer, sender.outbox.unsent]).toEqual(['one 2', undefined, 0])
  })

  it('keeps five megabytes for a peer that reads nothing, and sends all in order when it does', () => {
    const { sim, sender, peer } = towardsSomebodySlow()
    const left = lines.map((line) => sender.outbox.send(line))
    expect([left[0], left.at(-1)]).toEqual([true, false])
    sim.advance(1000)
    expect(sender.outbox.unsent).toBeGreaterThan(4_000_000)
    expect([sender.transport.queued < 200_000, sender.roomMade]).toEqual([true, 0])
    peer.transport.resumeProducing()
    sim.advance(60_000)
    expect(peer.text() === lines.join('')).toBe(true)
    expect([sender.outbox.unsent, sender.roomMade]).toEqual([0, 1])
  })

  it('lets its owner read what the peer says while that reads nothing', () => {
    const { sim, sender, peer } = towardsSomebodySlow()
    for (const line of lines) sender.outbox.send(line)
    peer.transport.write('I am listening, be patient')
    sim.advance(1000)
    expect(sender.text()).toBe('I am listening, be patient')
  })

  it('is emptied before the connection closes', () => {
    const { sim, sender, peer } = towardsSomebodySlow()
    for (const line of lines) sender.outbox.send(line)
    sender.transport.loseConnection()
    peer.transport.resumeProducing()
    sim.advance(60_000)
    expect(peer.text().length).toBe(lines.join('').length)
    expect(peer.closedReason?.name).toBe('ConnectionDone')
  })

  it('aborts the connection when more waits than may', () => {
    const { sim, sender } = towardsSomebodySlow(new Sender(1_000_000))
    for (const line of lines) sender.outbox.send(line)
    sim.advance(1000)
    const cause = sender.closedReason?.cause
    expect(cause).toBeInstanceOf(SendQueueOverflow)
    expect(String(cause)).toMatch(/the limit is 1000000 \(.*, or raise maxUnsent\)/)
    expect(sender.outbox.unsent).toBe(0)
  })

  it('keeps nothing for a connection that is lost', () => {
    const { sim, sender } = towardsSomebodySlow()
    for (const line of lines) sender.outbox.send(line)
    sender.transport.abortConnection()
    sim.advance(1000)
    expect([sender.outbox.unsent, sender.outbox.send(lines[0]!), sender.outbox.unsent]).toEqual([0, true, 0])
  })

  it('keeps everything while it is held, and lets it go in order', () => {
    const sender = new Sender()
    const transport = connected(sender)
    sender.outbox.hold()
    for (const line of ['one\n', 'two\n']) expect(sender.outbox.send(line)).toBe(false)
    expect([transport.text(), sender.outbox.held, sender.outbox.unsent]).toEqual(['', true, 8])
    sender.outbox.release()
    expect([transport.text(), sender.outbox.held, sender.roomMade]).toEqual(['one\ntwo\n', false, 1])
  })

  it('stops in the middle when a transport says that it is full, and goes on when it is not', () => {
    const sender = new Sender()
    const transport = connected(sender)
    const large = new Uint8Array(65_537).fill(0x78)
    const write = transport.write.bind(transport)
    transport.write = (data) => {
      write(data)
      ;(transport.producer as PushProducer | undefined)?.pauseProducing()
    }
    expect([large, 'a', 'b'].map((data) => sender.outbox.send(data))).toEqual([true, false, false])
    for (const expected of ['a', 'ab']) {
      ;(transport.producer as PushProducer).resumeProducing()
      expect(toText(transport.value()).replaceAll('x', '')).toBe(expected)
    }
  })
})
