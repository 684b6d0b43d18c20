/** The long repeats over real sockets: what was written arrives, and what was aborted leaves nothing behind. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { type Connection, ConnectionDone, type ConnectionClosed, Deferred, Protocol } from 'couplet'
import { Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reports } from '../reports.ts'
import { Loopback, turns, until } from './loopback.ts'

const large = Buffer.alloc(4 << 20, 'It was many and many a year ago, in a kingdom by the sea. ')
/** More than a kernel would throw away on the quiet, less than it refuses to take. */
const unread = Buffer.alloc(64 << 10, 'unread')

/** `count` times, `width` at a time. */
async function repeat(count: number, width: number, once: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await once(index)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/** Numbers below `limit` that look like chance and are the same each time (mulberry32). */
function sequence(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

const patience = { timeout: 120_000 }

describe('4 MiB in one write, then loseConnection, with input of the peer that nobody has read', patience, () => {
  it('arrive whole, 1,000 times', async () => {
    const net = new Loopback()
    const servers = new Map<string, Witness>()
    const port = await net.listen((connection) => {
      const witness = new Witness({ made: (self) => self.transport.pauseProducing() })
      connection.deliverTo(witness)
      servers.set(String(connection.peer), witness)
    })
    let whole = 0
    await repeat(1000, 8, async () => {
      const { port: number } = port.host as { port: number } & typeof port.host
      const socket = connect({ port: number, host: '127.0.0.1', allowHalfOpen: true })
      await once(socket, 'connect')
      const name = `127.0.0.1:${socket.localPort}`
      await new Promise((resolve) => socket.write(unread, resolve))
      await until(() => servers.has(name))
      const server = servers.get(name)!
      servers.delete(name)
      server.transport.write(large)
      server.transport.loseConnection()
      let got = 0
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        if (!chunk.equals(large.subarray(got, got + chunk.length))) throw new Error(`wrong bytes after ${got}`)
        got += chunk.length
      }
      socket.end()
      await until(() => server.reason !== undefined)
      if (got === large.length && server.reason instanceof ConnectionDone && server.size === 0) whole++
    })
    expect(whole).toBe(1000)
  })
})

/** Notes how it was told of its end. */
class Member extends Protocol {
  readonly lost = new Deferred<ConnectionClosed>()
  losses = 0
  late = 0

  override dataReceived(chunk: Uint8Array): void {
    if (this.losses > 0) this.late++
    this.transport.write(chunk)
  }

  override connectionLost(reason: ConnectionClosed): void {
    if (++this.losses === 1) this.lost.callback(reason)
  }
}

describe('a storm of aborts', patience, () => {
  it('tells each of 10,000 connections once, at both ends, and leaves nothing behind', async () => {
    const collected = reports()
    const net = new Loopback()
    const members: Member[] = []
    const join = (connection: Connection): Member => {
      const member = new Member()
      connection.deliverTo(member)
      members.push(member)
      return member
    }
    const arrived = new Map<string, Member>()
    const port = await net.listen((connection) => void arrived.set(String(connection.peer), join(connection)))
    const chance = sequence(7)
    await repeat(10_000, 50, async () => {
      const connection = await net.reactor.dial(port.host)
      const near = join(connection)
      const name = String(connection.host)
      near.transport.write('x'.repeat(1 + chance(100_000)))
      // One in four may be gone before the server has greeted it.
      await (chance(4) === 0 ? turns(chance(4)) : until(() => arrived.has(name)))
      const far = arrived.get(name)
      arrived.delete(name)
      const ends: readonly ((member: Member) => void)[] = [
        (member) => member.transport.abortConnection(),
        (member) => member.transport.loseConnection(),
        (member) => {
          member.transport.loseConnection()
          member.transport.abortConnection()
        },
        (member) => {
          member.transport.loseWriteConnection()
          member.transport.abortConnection()
        },
        (member) => member.transport.loseConnection({ abortAfter: chance(3) }),
      ]
      ends[chance(ends.length)]!(near)
      if (far !== undefined) ends[chance(ends.length)]!(far)
      await near.lost
    })
    for (const member of arrived.values()) member.transport.abortConnection()
    await Promise.all(members.map((member) => member.lost.toPromise()))
    await net.settle()
    expect(members.filter(({ losses, late }) => losses !== 1 || late > 0)).toEqual([])
    expect(members.length).toBeGreaterThan(17_000)
    expect(net.reactor.stats()).toMatchObject({ open: 0, timers: 0 })
    expect(collected).toEqual([])
  })
})
