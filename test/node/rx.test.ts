import {
  type Address,
  IPv4Address,
  TCPClientEndpoint,
  TCPServerEndpoint,
  toText,
  type Report,
  setReporter,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { connect, type Conversation, hold, type Hold, lines, listen, writeAll } from 'couplet/rx'
import { map } from 'rxjs'
import { expect, it, onTestFinished } from 'vitest'

type Lines = Conversation<Uint8Array, string | Uint8Array>

/** Lets whatever is ready happen, until something has: no time is measured. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve))
}

function portOf(host: Address): number {
  return host instanceof IPv4Address ? host.port : 0
}

function nothingLeft(reactor: NodeReactor): boolean {
  const { open, ports, timers } = reactor.stats()
  return open + ports + timers === 0
}

it('a subscriber a thousand times slower than its server gets all, in order, and little is on its way', async () => {
  const reactor = new NodeReactor()
  // More than the buffers of any kernel in between hold: 96 MiB.
  const all = 12_288
  const filling = '.'.repeat(8192)
  let asked = 0
  function* poem() {
    for (; asked < all; asked++) yield `${asked} ${filling}`
  }

  let port = 0
  let server: Lines | undefined
  const serving = listen(new TCPServerEndpoint(reactor, 0, { interface: '127.0.0.1' }), lines(), {
    opened: { next: ({ host }) => void (port = portOf(host)) },
  }).subscribe((client) => {
    server = client
    client.subscribe()
    writeAll(poem(), client).addCallback(() => client.complete())
  })
  await until(() => port !== 0)

  let client: Lines | undefined
  const hands: Hold[] = []
  let slow = true
  let received = 0
  let inOrder = true
  let complete = false
  connect(new TCPClientEndpoint(reactor, '127.0.0.1', port), lines(), {
    opened: { next: (one) => void (client = one) },
  })
    .pipe(map((line) => toText(line.subarray(0, 6))))
    .subscribe({
      next(line) {
        inOrder &&= Number.parseInt(line) === received
        received++
        if (slow) hands.push(hold())
      },
      complete: () => (complete = true),
    })

  // Nothing is done about the first lines: the client stops reading, then the kernels are full, then the server waits.
  await until(() => server !== undefined && server.transport.queued > 64 * 1024 && client?.transport.paused === true)
  expect([client?.outstanding, received, client?.transport.paused]).toEqual([16, 16, true])
  const stuckAt = asked
  expect(stuckAt).toBeLessThan(all)
  let mostInHand = 0
  let mostQueued = 0

  // A line a turn, while the server could send a thousand.
  for (let turn = 0; turn < 1000; turn++) {
    hands.shift()?.release()
    await new Promise((resolve) => setImmediate(resolve))
    mostInHand = Math.max(mostInHand, client?.outstanding ?? 0)
    mostQueued = Math.max(mostQueued, server?.transport.queued ?? 0)
  }
  expect(mostInHand).toBe(16)
  expect(received).toBeLessThanOrEqual(1016)
  // It asks for no more than it can send: the high-water mark, and the line that crosses it.
  expect(mostQueued).toBeLessThanOrEqual(64 * 1024 + filling.length + 16)

  slow = false
  for (const inHand of hands.splice(0)) inHand.release()
  await until(() => complete)
  expect([received, inOrder, asked]).toEqual([all, true, all])
  serving.unsubscribe()
  await until(() => nothingLeft(reactor))
})

it('a subscriber that throws ends its own connection, and the process goes on', async () => {
  const reports: Report[] = []
  onTestFinished(setReporter((report) => reports.push(report)))
  const reactor = new NodeReactor()
  let port = 0
  const serving = listen(new TCPServerEndpoint(reactor, 0, { interface: '127.0.0.1' }), lines(), {
    opened: { next: ({ host }) => void (port = portOf(host)) },
  }).subscribe((client) =>
    client.pipe(map(toText)).subscribe({
      next(line) {
        if (line === 'bad') throw new Error('a bug')
        client.next(line)
      },
      error() {},
    }),
  )
  await until(() => port !== 0)

  const ended: unknown[] = []
  const one = connect(new TCPClientEndpoint(reactor, '127.0.0.1', port), lines())
  const other = connect(new TCPClientEndpoint(reactor, '127.0.0.1', port), lines())
  one.subscribe({ error: (error: Error) => ended.push(error.name) })
  const heard: string[] = []
  const listening = other.pipe(map(toText)).subscribe((line) => heard.push(line))
  one.next('bad')
  await until(() => ended.length > 0)
  other.next('good')
  await until(() => heard.length > 0)
  expect([ended, heard]).toEqual([['ConnectionLost'], ['good']])
  expect(reports).toEqual([expect.objectContaining({ error: expect.objectContaining({ message: 'a bug' }) })])
  listening.unsubscribe()
  serving.unsubscribe()
  await until(() => nothingLeft(reactor))
})
