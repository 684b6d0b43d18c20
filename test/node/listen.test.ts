import { connect } from 'node:net'
import {
  CannotListenError,
  type Connection,
  ConnectionDone,
  Factory,
  IPv4Address,
  type ListeningPort,
  ProcessAddress,
  UnsupportedAddress,
} from 'couplet'
import { Witness } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectionsFor, mostConnections } from '../../src/framework/node/descriptor-limit.ts'
import { listenError } from '../../src/framework/node/system-errors.ts'
import { reports } from '../reports.ts'
import { anywhere, Loopback, ReactorByHand, socketTo, turns, until } from './loopback.ts'

describe('listen', () => {
  it('fires in a later turn, with the port that it got', async () => {
    const { reactor } = new Loopback()
    const listened = reactor.listen(anywhere, () => {})
    expect(listened.called).toBe(false)
    const port = await listened
    expect((port.host as IPv4Address).port).toBeGreaterThan(0)
    expect(reactor.stats().ports).toBe(1)
    await port.stopListening()
    expect(reactor.stats().ports).toBe(0)
  })

  it('says which port is in use', async () => {
    const { reactor } = new Loopback()
    const port = await reactor.listen(anywhere, () => {})
    const error: unknown = await reactor
      .listen(port.host, () => {})
      .toPromise()
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(CannotListenError)
    const { port: number } = port.host as IPv4Address
    expect((error as Error).message).toBe(
      `127.0.0.1:${number}: cannot listen: port ${number} is in use (is the server running already? port 0 takes any free port)`,
    )
    expect((error as Error).cause).toMatchObject({ code: 'EADDRINUSE' })
    await port.stopListening()
  })

  it('fails at an interface that is not of this machine', async () => {
    const listened = new Loopback().reactor.listen(new IPv4Address('TCP', '192.0.2.1', 0), () => {})
    await expect(listened).rejects.toThrow(/no network interface of this machine has this address/)
  })

  it('fails at an address it has no transport for', async () => {
    const listened = new Loopback().reactor.listen(new ProcessAddress('true'), () => {})
    await expect(listened).rejects.toBeInstanceOf(UnsupportedAddress)
  })

  it('that is cancelled leaves no port open', async () => {
    const { reactor } = new Loopback()
    const taken = await reactor.listen(anywhere, () => {})
    await taken.stopListening()
    const listened = reactor.listen(taken.host, () => {}).addErrback(() => 'cancelled')
    listened.cancel()
    expect(await listened).toBe('cancelled')
    await turns(10)
    const again = await reactor.listen(taken.host, () => {})
    await again.stopListening()
  })

  it.each<[code: string, address: IPv4Address, message: RegExp]>([
    ['EACCES', new IPv4Address('TCP', '0.0.0.0', 80), /ports below 1024/],
    ['EACCES', new IPv4Address('TCP', '0.0.0.0', 8000), /not permitted$/],
    ['EMFILE', anywhere, /too many open files/],
    ['EAFNOSUPPORT', anywhere, /does not speak/],
    ['EELSE', anywhere, /listen EELSE/],
  ])('says what %s means at %s', (code, address, message) => {
    const cause = Object.assign(new Error(`listen ${code}`), { code })
    expect(listenError(address, cause)).toMatchObject({ message: expect.stringMatching(message) as string, cause })
  })
})

describe('stopListening', () => {
  it('frees the port at once, and leaves connections alone', async () => {
    const net = new Loopback()
    const server = new Witness({ data: (self, chunk) => self.transport.write(chunk) })
    const port = await net.serve(() => server)
    const client = await net.reactor.dial(port.host)
    const witness = new Witness()
    client.deliverTo(witness)
    await until(() => port.connections === 1)
    await port.stopListening()
    const again = await net.reactor.listen(port.host, () => {})
    client.write('still here')
    await until(() => witness.size > 0)
    expect([witness.text, port.connections]).toEqual(['still here', 1])
    await again.stopListening()
    await port.stopListening({ drain: 0 })
    expect(port.connections).toBe(0)
  })

  it('with drain lets connections finish, and aborts the rest at the deadline', async () => {
    const reactor = new ReactorByHand()
    const net = new Loopback(reactor)
    const hangsOn = new Witness({ stopping: () => {} })
    const obeys = new Witness()
    const protocols = [hangsOn, obeys]
    const port = await net.serve(() => protocols.shift() ?? new Witness())
    for (const protocol of [hangsOn, obeys]) {
      const client = await net.reactor.dial(port.host)
      client.deliverTo(new Witness({ readLost: (self) => self.transport.loseConnection() }))
      await until(() => protocol.calls.length > 0)
    }
    let over = false
    const stopped = port.stopListening({ drain: 40 }).addCallback(() => void (over = true))
    await until(() => obeys.losses === 1)
    reactor.clock.advance(39)
    await turns(3)
    expect([hangsOn.losses, over]).toEqual([0, false])
    reactor.clock.advance(1)
    await stopped
    expect(obeys.reason).toBeInstanceOf(ConnectionDone)
    expect([hangsOn.calls, hangsOn.reason?.name]).toEqual([['made', 'stopping', 'lost'], 'ConnectionAborted'])
  })

  it('resets a connection that the kernel had accepted and we had not', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness())
    const dialed = net.reactor.dial(port.host)
    await port.stopListening()
    const outcome = await dialed
      .addCallback((connection) => {
        connection.deliverTo(new Witness())
        return connection.whenLost()
      })
      .addErrback(({ value }) => value as Error)
    expect(['ConnectionLost', 'ConnectionRefusedError', 'ConnectError']).toContain(outcome.name)
  })
})

describe('a port', () => {
  it('turns away what is more than maxConnections, with a reset, and says so once a second', async () => {
    const net = new Loopback()
    const errors = reports()
    const port = await net.serve(() => new Witness(), { maxConnections: 2 })
    const sockets = [await socketTo(port), await socketTo(port)]
    await until(() => port.connections === 2)
    for (let count = 0; count < 5; count++) expect(await fate(port)).toBe('ECONNRESET')
    expect(net.reactor.stats()).toMatchObject({ open: 2, accepted: 2, shed: 5 })
    expect(errors.map(({ error }) => (error as Error).message)).toEqual([
      `${port.host}: 1 connection turned away: 2 are open, the limit is 2 (raise maxConnections)`,
    ])
    sockets[0]?.destroy()
    await until(() => port.connections === 1)
    await socketTo(port)
    await until(() => net.reactor.stats().accepted === 3)
  })

  it('keeps 128 descriptors free unless told otherwise, or half of them where there are few', () => {
    expect(connectionsFor(1024)).toBe(896)
    expect(connectionsFor(256)).toBe(128)
    expect(connectionsFor(64)).toBe(32)
    expect(connectionsFor(1)).toBe(1)
    expect(connectionsFor(Infinity)).toBe(Infinity)
    expect(mostConnections()).toBeGreaterThan(100)
  })

  it('goes on when what it gives its connections to throws', async () => {
    const net = new Loopback()
    const errors = reports()
    let offered: Connection | undefined
    const port = await net.listen((connection) => {
      offered = connection
      throw new Error('no thanks')
    })
    expect(await fate(port)).toBe('ECONNRESET')
    expect(offered?.disconnected).toBe(true)
    expect(errors.map(({ error }) => (error as Error).message)).toEqual(['no thanks'])
    await until(() => port.connections === 0)
  })

  it('survives peers that reset before they are greeted', async () => {
    const net = new Loopback()
    const errors = reports()
    const witnesses: Witness[] = []
    const port = await net.serve(() => {
      const witness = new Witness()
      witnesses.push(witness)
      return witness
    })
    const sockets = await Promise.all(Array.from({ length: 100 }, () => socketTo(port)))
    for (const socket of sockets) socket.resetAndDestroy()
    await net.settle()
    await until(() => port.connections === 0)
    expect(witnesses.map(({ losses }) => losses)).toEqual(witnesses.map(() => 1))
    expect(errors).toEqual([])
    expect(net.reactor.stats()).toMatchObject({ open: 0, timers: 0 })
  })

  it('holds 1,000 connections at once, and each hears only its own', async () => {
    const net = new Loopback()
    const factory = Factory.forProtocol(() => new Witness({ data: (self, chunk) => self.transport.write(chunk) }))
    const port = await net.reactor.listenTCP(0, factory, { interface: '127.0.0.1', maxConnections: 2000 })
    onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
    const clients: Connection[] = []
    while (clients.length < 1000) {
      // No more than the kernel lets wait: it forgets those for whom there is no room, and lets them believe otherwise.
      const dials = Array.from({ length: 100 }, () => net.reactor.dial(port.host).toPromise())
      clients.push(...(await Promise.all(dials)))
      await until(() => net.reactor.stats().accepted === clients.length)
    }
    for (const [index, connection] of clients.entries()) {
      const witness = new Witness({
        data(self) {
          if (self.text === `number ${index}`) self.transport.loseConnection()
        },
      })
      connection.deliverTo(witness)
    }
    expect(net.reactor.stats().open).toBe(2000)
    for (const [index, connection] of clients.entries()) connection.write(`number ${index}`)
    const reasons = await Promise.all(clients.map((connection) => connection.whenLost().toPromise()))
    expect(reasons.filter((reason) => !(reason instanceof ConnectionDone))).toEqual([])
    await port.stopListening({ drain: 1000 })
    expect(net.reactor.stats()).toEqual({
      open: 0,
      accepted: 1000,
      shed: 0,
      unsecured: 0,
      ports: 0,
      timers: 0,
      children: 0,
    })
  })
})

/** How it ends for a client that connects and waits. */
function fate({ host }: ListeningPort): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect((host as IPv4Address).port, '127.0.0.1').resume()
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
    socket.once('end', () => resolve('end'))
  })
}
