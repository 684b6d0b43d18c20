/** UDP over real sockets: what arrives, what is refused, what is too long, and that nothing stays open. */
import { spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { text } from 'node:stream/consumers'
import {
  CannotListenError,
  ConnectError,
  type DatagramLost,
  DatagramProtocol,
  IPv4Address,
  type IPAddress,
  IPv6Address,
  type ListenUDPOptions,
  MessageLengthError,
  toText,
  UnsupportedAddress,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { reportsOfEachTest } from '../reports.ts'
import { turns, until } from './loopback.ts'

const reports = reportsOfEachTest()
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

class Inbox extends DatagramProtocol {
  readonly got: [text: string, from: string][] = []
  refusals = 0
  readonly lost: DatagramLost[] = []
  ended = 0

  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    this.got.push([toText(datagram), String(from)])
  }
  override connectionRefused(): void {
    this.refusals++
  }
  override datagramLost(reason: DatagramLost): void {
    this.lost.push(reason)
  }
  override stopProtocol(): void {
    this.ended++
  }
}

class Echo extends Inbox {
  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    super.datagramReceived(datagram, from)
    this.transport.write(datagram, from)
  }
}

async function open(protocol: DatagramProtocol, options: ListenUDPOptions = {}, reactor = new NodeReactor()) {
  const port = await reactor.listenUDP(0, protocol, { interface: '127.0.0.1', ...options })
  onTestFinished(() => port.stopListening().toPromise())
  return port
}

/** A plain socket, and its port. */
async function plain(): Promise<[Socket, IPv4Address]> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  let open = true
  socket.once('close', () => (open = false))
  onTestFinished(async () => {
    if (open) await once(socket.close(), 'close')
  })
  return [socket, new IPv4Address('UDP', '127.0.0.1', socket.address().port)]
}

/** A port of this machine at which nobody listens to others, and who has it, so that nobody else does. */
async function nobody(): Promise<[Socket, IPv4Address]> {
  const [socket, address] = await plain()
  // It hears itself only.
  socket.connect(address.port, address.host)
  await once(socket, 'connect')
  return [socket, address]
}

async function echoes(host: string): Promise<void> {
  const [server, client] = [new Echo(), new Inbox()]
  const there = await open(server, { interface: host })
  const here = await open(client, { interface: host })
  for (const text of ['one', '', 'three']) here.write(text, there.host)
  await until(() => client.got.length === 3)
  expect(server.got).toEqual(['one', '', 'three'].map((text) => [text, String(here.host)]))
  expect(client.got).toEqual(['one', '', 'three'].map((text) => [text, String(there.host)]))
  expect(here.host.port).toBeGreaterThan(0)
  expect(here.host.type).toBe('UDP')
}

describe('UDP', () => {
  it('carries datagrams there and back, the empty one too', () => echoes('127.0.0.1'))

  it.skipIf(!hasIPv6)(`does so over IPv6${hasIPv6 ? '' : ': this machine has no ::1'}`, () => echoes('::1'))

  it.skipIf(!hasIPv6)('carries the longest datagrams that there are', async () => {
    for (const [host, most] of [
      ['127.0.0.1', 65_507],
      ['::1', 65_527],
    ] as const) {
      const inbox = new Inbox()
      const here = await open(inbox, { interface: host })
      here.write('x'.repeat(most), here.host)
      await until(() => inbox.got.length === 1)
      expect(inbox.got[0]?.[0]).toHaveLength(most)
      expect(() => here.write('x'.repeat(most + 1), here.host)).toThrow(MessageLengthError)
    }
  })

  it('delivers no part of a datagram that is longer than the port takes', async () => {
    const inbox = new Inbox()
    const port = await open(inbox, { maxPacketSize: 100 })
    const [socket] = await plain()
    socket.send('x'.repeat(101), port.host.port, '127.0.0.1')
    socket.send('y'.repeat(100), port.host.port, '127.0.0.1')
    await until(() => inbox.got.length > 0)
    expect(inbox.got.map(([text]) => text[0])).toEqual(['y'])
    expect(reports.map(({ error }) => error)).toEqual([expect.objectContaining({ offered: 101, limit: 100 })])
  })

  it('keeps its port when datagramReceived throws', async () => {
    const thrown = new Error('a bug')
    class Fragile extends Echo {
      override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
        if (toText(datagram) === 'bad') throw thrown
        super.datagramReceived(datagram, from)
      }
    }
    const inbox = new Inbox()
    const [server, client] = [await open(new Fragile()), await open(inbox)]
    client.write('bad', server.host)
    client.write('good', server.host)
    await until(() => inbox.got.length === 1)
    expect(inbox.got).toEqual([['good', String(server.host)]])
    expect(reports.map(({ error }) => error)).toEqual([thrown])
  })

  it('sends what startProtocol writes', async () => {
    const server = new Echo()
    const { host } = await open(server)
    class Greeter extends Inbox {
      override startProtocol(): void {
        this.transport.connect(host.host, host.port)
        this.transport.write('hello')
      }
    }
    const client = new Greeter()
    await open(client)
    await until(() => client.got.length === 1)
    expect(client.got).toEqual([['hello', String(host)]])
  })
})

describe('a UDP port that is connected', () => {
  it('tells that nobody listens, each time, and can be used when somebody does', async () => {
    const client = new Inbox()
    const port = await open(client)
    const [holder, address] = await nobody()
    await port.connect(address.host, address.port)
    port.write('is anybody there?')
    await until(() => client.refusals === 1)
    port.write('now?')
    await until(() => client.refusals === 2)
    await once(holder.close(), 'close')
    const server = new Echo()
    const reactor = new NodeReactor()
    const answering = await reactor.listenUDP(address.port, server, { interface: address.host })
    onTestFinished(() => answering.stopListening().toPromise())
    port.write('now')
    await until(() => client.got.length === 1)
    expect(client.got).toEqual([['now', String(address)]])
    expect([client.refusals, client.lost, reports]).toEqual([2, [], []])
  })

  it('reports that nobody listens where the protocol does not care', async () => {
    class Deaf extends DatagramProtocol {}
    const port = await open(new Deaf())
    const [, address] = await nobody()
    await port.connect(address.host, address.port)
    port.write('is anybody there?')
    await until(() => reports.length > 0)
    expect(reports[0]?.error).toMatchObject({
      name: 'DatagramLost',
      message: `${address}: a datagram was lost: nobody listens there (is the server running?)`,
      cause: { code: 'ECONNREFUSED' },
    })
    expect(reports[0]?.what).toBe(`Lost 1 datagram of ${port.host} (datagramLost would be told)`)
  })

  it('hears its peer only', async () => {
    const inbox = new Inbox()
    const port = await open(inbox)
    const [friend, address] = await plain()
    const [stranger] = await plain()
    const send = (socket: Socket, words: string): Promise<void> =>
      new Promise((sent) => {
        socket.send(words, port.host.port, '127.0.0.1', () => sent())
      })
    // One that waits in the kernel when the port is connected.
    await send(stranger, 'before')
    await port.connect(address.host, address.port)
    await send(stranger, 'after')
    await send(friend, 'friend')
    await until(() => inbox.got.some(([text]) => text === 'friend'))
    expect(inbox.got.map(([text]) => text).filter((text) => text !== 'before')).toEqual(['friend'])
  })

  it.skipIf(!hasIPv6)('hears a peer whose address was written in another way', async () => {
    const [inbox, server] = [new Inbox(), new Echo()]
    const here = await open(inbox, { interface: '::1' })
    const there = await open(server, { interface: '::1' })
    await here.connect('0:0:0:0:0:0:0:1', there.host.port)
    here.write('hello')
    await until(() => inbox.got.length === 1)
    expect(inbox.got).toEqual([['hello', String(there.host)]])
  })

  it('fails to connect where the system forbids it', async () => {
    const port = await open(new Inbox(), { interface: '0.0.0.0' })
    await expect(port.connect('255.255.255.255', 9)).rejects.toBeInstanceOf(ConnectError)
    expect(port.peer).toBeUndefined()
  })
})

describe('what the system does not send', () => {
  it('is told with the reason and the address', async () => {
    const inbox = new Inbox()
    const port = await open(inbox, { interface: '0.0.0.0' })
    port.write('everybody!', new IPv4Address('UDP', '255.255.255.255', 9))
    await until(() => inbox.lost.length > 0)
    expect(inbox.lost[0]).toMatchObject({
      name: 'DatagramLost',
      code: 'ERR_DATAGRAM_LOST',
      message:
        '255.255.255.255:9: a datagram was lost: not permitted (to write to everybody in a network needs broadcastAllowed)',
      cause: { code: 'EACCES' },
    })
  })

  it('is sent to everybody where that is allowed', async () => {
    const inbox = new Inbox()
    const port = await open(inbox, { interface: '127.0.0.1', broadcastAllowed: true })
    // The loopback network has an address for everybody too.
    port.write('everybody!', new IPv4Address('UDP', '127.255.255.255', port.host.port))
    await turns(20)
    expect(inbox.lost).toEqual([])
  })

  it('leaves at once, however much it is: the system keeps what it can, and nothing waits here', async () => {
    const inbox = new Inbox()
    const [there, here] = [await open(inbox), await open(new Inbox())]
    let waiting = 0
    for (let count = 0; count < 20_000; count++) {
      here.write(new Uint8Array(1000), there.host)
      waiting = Math.max(waiting, here.queued)
    }
    expect(waiting).toBe(0)
    await until(() => inbox.got.length > 0)
  })
})

describe('a system that takes no more', () => {
  it('keeps what waits within maxSendQueue, and the rest is told as lost', async () => {
    const program = `
      import { DatagramProtocol } from 'couplet'
      import { reactor } from 'couplet/node'
      class Told extends DatagramProtocol {
        datagramLost(reason, count) { console.log(count, reason.cause.message) }
      }
      const options = { interface: '127.0.0.1', maxSendQueue: 50000 }
      const port = await reactor.listenUDP(0, new Told(), options)
      for (let count = 0; count < 100; count++) port.write(new Uint8Array(1000), port.host)
      console.log(port.queued)
      reactor.callLater(0, () => {
        console.log(port.queued)
        port.stopListening()
      })`
    const node = ['-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', program]
    // Over loopback the kernel takes everything at once, unless Node is told not to try.
    const child = spawn(process.execPath, ['--test-udp-no-try-send', ...node], { stdio: ['ignore', 'pipe', 'inherit'] })
    expect(
      (await text(child.stdout))
        .replace(/\S+:\d+: /, '')
        .trim()
        .split('\n'),
    ).toEqual([
      '50000',
      '50 51000 bytes would be waiting to be sent, the limit is 50000 (send less at a time, or raise maxSendQueue)',
      '0',
    ])
  })
})

describe('a flood', () => {
  it('leaves the timers and everybody else their turns', async () => {
    const inbox = new Inbox()
    const reactor = new NodeReactor()
    const there = await open(inbox, {}, reactor)
    const here = await open(new Inbox(), {}, reactor)
    const ticks: number[] = []
    const tick = (): void => {
      if (ticks.push(reactor.now()) < 20) reactor.callLater(1, tick)
    }
    tick()
    // As much in each turn as the kernel keeps for one port, and more.
    while (ticks.length < 20) {
      for (let count = 0; count < 1000; count++) here.write('flood', there.host)
      await turns(1)
    }
    expect(inbox.got.length).toBeGreaterThan(0)
  })
})

describe('listening on UDP', () => {
  it('fails when the port is taken, and says so', async () => {
    const { host } = await open(new Inbox())
    const second = new NodeReactor().listenUDP(host.port, new Inbox(), { interface: '127.0.0.1' })
    await expect(second).rejects.toMatchObject({
      name: 'CannotListenError',
      message: expect.stringContaining(`port ${host.port} is in use`) as string,
    })
  })

  it.each([
    ['an interface that this machine does not have', { interface: '192.0.2.1' }, CannotListenError],
    ['a name', { interface: 'localhost' }, CannotListenError],
    ['a limit of nothing', { interface: '127.0.0.1', maxPacketSize: 0 }, RangeError],
  ])('fails for %s', async (_, options, kind) => {
    await expect(new NodeReactor().listenUDP(0, new Inbox(), options)).rejects.toBeInstanceOf(kind)
  })

  it('needs an address of UDP', async () => {
    const address = new IPv4Address('TCP', '127.0.0.1', 0)
    await expect(new NodeReactor().bind(address)).rejects.toBeInstanceOf(UnsupportedAddress)
    await expect(new NodeReactor().listen(new IPv6Address('UDP', '::1', 0), () => {})).rejects.toBeInstanceOf(
      UnsupportedAddress,
    )
  })

  it('that was cancelled leaves nothing open', async () => {
    const reactor = new NodeReactor()
    const asked = reactor.listenUDP(0, new Inbox(), { interface: '127.0.0.1' })
    asked.cancel()
    await expect(asked).rejects.toMatchObject({ name: 'CancelledError' })
    await until(() => udpHandles() === 0)
    expect(reactor.stats().ports).toBe(0)
  })

  it('ends with stopListening, after which the port is free and nothing is left', async () => {
    const reactor = new NodeReactor()
    const inbox = new Inbox()
    const port = await open(inbox, {}, reactor)
    expect(reactor.stats().ports).toBe(1)
    const { host } = port
    port.write('on its way', host)
    const stopped = port.stopListening()
    expect(inbox.ended).toBe(0)
    await stopped
    expect([inbox.ended, inbox.got, reactor.stats().ports]).toEqual([1, [], 0])
    await until(() => udpHandles() === 0)
    const again = await reactor.listenUDP(host.port, inbox, { interface: host.host })
    expect(again.host).toEqual(host)
    await again.stopListening()
  })

  it('ends when the reactor closes its ports', async () => {
    const reactor = new NodeReactor()
    const inbox = new Inbox()
    await open(inbox, {}, reactor)
    await reactor.stopPorts({ drain: 1000 })
    expect([inbox.ended, reactor.stats().ports]).toEqual([1, 0])
    await until(() => udpHandles() === 0)
  })

  it('may stop from inside of any of its hooks', async () => {
    class Once extends Inbox {
      override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
        super.datagramReceived(datagram, from)
        this.transport.stopListening()
        this.transport.write('too late', from)
      }
    }
    const once = new Once()
    const port = await open(once)
    const [socket] = await plain()
    for (let count = 0; count < 3; count++) socket.send('x', port.host.port, '127.0.0.1')
    await until(() => once.ended === 1)
    await turns(5)
    expect([once.got.length, once.ended]).toEqual([1, 1])
  })
})

/** UDP sockets that this process has open. */
function udpHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'UDPWRAP' || name === 'UDPWrap').length
}
