/**
 * The contract, first chapter: what is written arrives, in order, and goes to one protocol.
 *
 * Ancestor: `twisted.internet.test.test_tcp`.
 */
import { join, toBytes } from '../../core/bytes.ts'
import type { Connection } from '../../core/transport.ts'
import { pattern } from '../pattern.ts'
import { claim, ended, gotPattern, same, throws } from './assertions.ts'
import type { Define } from './stage.ts'

export function deliversBytes(test: Define): void {
  test('after connectionMade, which comes first of all', async (stage) => {
    const { near, far } = await stage.connect({}, { made: (self) => self.transport.write('welcome') })
    await stage.settle()
    same(far.calls, ['made'], 'what the far end was told')
    same(near.calls, ['made', 'data'], 'what the near end was told')
    same(near.text, 'welcome', 'what arrived')
  })

  test('that came early to a protocol that comes late', async (stage) => {
    const [nearEnd, farEnd] = await stage.pair()
    farEnd.deliverTo(stage.witness({ made: (self) => self.transport.write('early') }))
    await stage.settle()
    const late = stage.witness()
    nearEnd.deliverTo(late)
    same(late.calls, ['made'], 'what it was told inside deliverTo')
    await stage.settle()
    same(late.text, 'early', 'what arrived')
  })

  test('and even the end, to a protocol that comes late', async (stage) => {
    const [nearEnd, farEnd] = await stage.pair()
    farEnd.deliverTo(stage.witness({ made: (self) => (self.transport.write('bye'), self.transport.loseConnection()) }))
    await stage.settle()
    const late = stage.witness()
    nearEnd.deliverTo(late)
    await stage.settle()
    same(late.text, 'bye', 'what arrived')
    ended(late, 'ConnectionDone', 'the late one')
  })

  test('of text, small pieces, large ones and sequences in the order written', async (stage) => {
    const { near, far } = await stage.connect()
    const parts = ['grüße ', new Uint8Array([1, 2, 3]), '', pattern(5000), ' and ', pattern(2048), pattern(2049)]
    for (const part of parts.slice(0, 3)) near.transport.write(part)
    near.transport.writeSequence(parts.slice(3))
    await stage.settle()
    const sent = join(parts.map((part) => (typeof part === 'string' ? toBytes(part) : part)))
    same([...far.bytes], [...sent], 'what arrived')
  })

  test('in memory that nobody else writes to, the sender either', async (stage) => {
    const { near, far } = await stage.connect()
    const sent = pattern(100)
    near.transport.write(sent)
    await stage.settle()
    sent.fill(0)
    for (let again = 0; again < 10; again++) {
      near.transport.write('something else that is small')
      await stage.settle()
    }
    same([...far.bytes.subarray(0, 100)], [...pattern(100)], 'what had arrived')
  })

  test('from inside dataReceived, fifty times to and fro', async (stage) => {
    const { near, far } = await stage.connect(
      {
        made: (self) => self.transport.write('x'),
        data: (self) => self.transport.write('x'.repeat(Number(self.size < 50))),
      },
      { data: (self, chunk) => self.transport.write(chunk) },
    )
    await stage.settle()
    same([near.size, far.size], [50, 50], 'what arrived')
  })

  test('of several megabytes in both directions at once', async (stage) => {
    const limits = { maxSendQueue: 8 << 20, readWhileFull: true }
    const { near, far } = await stage.connect({}, {}, { near: limits, far: limits })
    for (const { transport } of [near, far])
      for (let at = 0; at < 2 << 20; at += 1 << 16) transport.write(pattern(1 << 16, at))
    await stage.settle()
    gotPattern(near, 2 << 20, 'at the near end')
    gotPattern(far, 2 << 20, 'at the far end')
  })

  test('of a thousand writes in one turn, in few chunks', async (stage) => {
    const { near, far } = await stage.connect()
    for (let at = 0; at < 10_000; at += 10) near.transport.write(pattern(10, at))
    same(near.transport.queued, 10_000, 'what waits before the turn is over')
    await stage.settle()
    gotPattern(far, 10_000, 'at the far end')
    claim(far.chunks.length < 100, `writes of one turn are gathered, and ${far.chunks.length} chunks came`)
  })

  test('and counts what waits, and forgets it when it has left', async (stage) => {
    const { near } = await stage.connect()
    near.transport.write(pattern(1000))
    same(near.transport.queued, 1000, 'what waits at once')
    await stage.settle()
    same(near.transport.queued, 0, 'what waits later')
  })

  test(
    'between ends that each side calls by the same name',
    async (stage) => {
      const { near, far } = await stage.connect()
      claim(near.transport.peer.equals(far.transport.host), `${near.transport.peer} is ${far.transport.host}`)
      claim(far.transport.peer.equals(near.transport.host), `${far.transport.peer} is ${near.transport.host}`)
    },
    'addresses',
  )
}

export function takesOneProtocol(test: Define): void {
  test('and refuses a second one', async (stage) => {
    const { near, nearEnd } = await stage.connect()
    throws(() => nearEnd.deliverTo(stage.witness()), /has its protocol already/, 'deliverTo')
    same(near.transport, nearEnd, 'the transport of the first one')
  })

  const ways: readonly [how: string, end: (connection: Connection) => void][] = [
    ['closed', (connection) => connection.loseConnection()],
    ['aborted', (connection) => connection.abortConnection()],
  ]
  for (const [how, end] of ways) {
    test(`and none after it was ${how}, saying why`, async (stage) => {
      const [nearEnd, farEnd] = await stage.pair()
      farEnd.deliverTo(stage.witness())
      end(nearEnd)
      await stage.settle()
      const late = stage.witness()
      const reason = await nearEnd.whenLost()
      throws(() => nearEnd.deliverTo(late), reason, 'deliverTo')
      same(late.calls, [], 'what the late one was told')
    })
  }
}
