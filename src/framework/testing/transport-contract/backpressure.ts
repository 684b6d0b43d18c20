/**
 * The contract: a pause holds everything back, up to the other end, and what waits is bounded.
 *
 * Ancestor: `twisted.test.test_tcp` and `trio.testing.check_one_way_stream` with its clogged streams.
 */
import { ConnectionDone, SendQueueOverflow } from '../../core/errors.ts'
import { LineReceiver } from '../../framing/line-receiver.ts'
import { pattern } from '../pattern.ts'
import { atMost, claim, ended, gotPattern, moreThan, same } from './assertions.ts'
import type { Define } from './stage.ts'

export function pausesDelivery(test: Define): void {
  test('strictly: nothing comes until resumeProducing, not even the end', async (stage) => {
    const { near, far } = await stage.stuck()
    near.transport.write(pattern(10_000))
    near.transport.loseConnection()
    await stage.settle()
    same(far.calls, ['made'], 'what it was told while paused')
    far.transport.resumeProducing()
    same(far.calls, ['made'], 'what it was told inside resumeProducing')
    await stage.settle()
    same(far.calls, ['made', 'data', 'inputEnded', 'lost'], 'what it was told')
    gotPattern(far, 10_000, 'at the far end')
    ended(far, 'ConnectionDone', 'the far end')
    ended(near, 'ConnectionDone', 'the near end')
  })

  test('in the middle of what has arrived already', async (stage) => {
    const ends = await stage.connect({}, { data: (self) => self.transport.pauseProducing() })
    const { far } = ends
    ends.near.transport.write(pattern(300_000))
    for (let before = 0; far.size < 300_000; before = far.size) {
      await stage.drain(ends)
      moreThan(far.size, before, 'what has come after a resume')
      atMost(far.size - before, 65_536, 'what has come between two pauses')
    }
    gotPattern(far, 300_000, 'at the far end')
  })

  test('and holds the sender back once the buffers are full: a clogged pair', async (stage) => {
    const ends = await stage.clogged()
    same(ends.far.size, 0, 'what the paused end got')
    await stage.drain(ends)
    same(ends.near.transport.queued, 0, 'what waits after the peer has read')
    gotPattern(ends.far, stage.plenty, 'at the far end')
  })

  test('one direction of a clogged pair, and the other one goes on', async (stage) => {
    const ends = await stage.clogged({}, {}, { near: { readWhileFull: true } })
    ends.far.transport.write('can you hear me?')
    await stage.settle()
    same(ends.near.text, 'can you hear me?', 'what came against the stream')
    await stage.drain(ends)
    gotPattern(ends.far, stage.plenty, 'at the far end')
  })

  test('as often as one likes, and resuming without a pause does nothing', async (stage) => {
    const { near, far } = await stage.connect()
    far.transport.resumeProducing()
    far.transport.pauseProducing()
    far.transport.pauseProducing()
    same(far.transport.paused, true, 'paused')
    far.transport.resumeProducing()
    same(far.transport.paused, false, 'paused, after resuming once')
    near.transport.write('through')
    await stage.settle()
    same(far.text, 'through', 'what arrived')
  })

  test('from connectionMade on, for a protocol that pauses there', async (stage) => {
    const [nearEnd, farEnd] = await stage.pair()
    nearEnd.deliverTo(stage.witness({ made: (self) => self.transport.write('too early') }))
    await stage.settle()
    const far = stage.witness({ made: (self) => self.transport.pauseProducing() })
    farEnd.deliverTo(far)
    await stage.settle()
    same(far.calls, ['made'], 'what it was told')
    far.transport.resumeProducing()
    await stage.settle()
    same(far.text, 'too early', 'what arrived')
  })
}

export function boundsWhatWaits(test: Define): void {
  test('by reading no more above 64 KiB, so that a peer that never reads stalls only itself', async (stage) => {
    // An echo server, and a client that writes and writes and does not read.
    const { near, far, farEnd } = await stage.connect(
      { made: (self) => self.transport.pauseProducing() },
      { data: (self, chunk) => self.transport.write(chunk) },
      { near: { maxSendQueue: 4 * stage.plenty, readWhileFull: true } },
    )
    near.transport.write(pattern(stage.plenty))
    await stage.settle()
    same(far.losses, 0, 'how often the echo lost its connection')
    moreThan(farEnd.queued, 0, 'what waits at the echo')
    atMost(farEnd.queued, 2 * 65_536, 'what waits at the echo')
    near.transport.resumeProducing()
    await stage.settle()
    gotPattern(near, stage.plenty, 'what came back')
  })

  test('in the middle of a chunk too: what has arrived waits in a receiver while its answers do', async (stage) => {
    const answer = pattern(4096)
    const questions = 2 * Math.ceil(stage.plenty / answer.length)
    const [nearEnd, farEnd] = await stage.pair()
    let most = 0
    let lost: unknown
    class Answers extends LineReceiver {
      override lineReceived(): void {
        this.transport.write(answer)
        most = Math.max(most, this.transport.queued)
      }
      override connectionLost(reason: Error): void {
        lost = reason
      }
    }
    const near = stage.witness({ made: (self) => self.transport.pauseProducing() })
    farEnd.deliverTo(new Answers())
    nearEnd.deliverTo(near)
    near.transport.write('?\r\n'.repeat(questions))
    near.transport.loseWriteConnection()
    await stage.settle()
    same(lost, undefined, 'why the server that answers lost its connection')
    moreThan(farEnd.queued, 0, 'what waits at the server')
    atMost(most, 256 * 1024, 'what has waited there at once')
    near.transport.resumeProducing()
    await stage.settle()
    same(near.size, questions * answer.length, 'how many bytes of answers came')
    claim(lost instanceof ConnectionDone, `the server's connection ends clean (it ended with: ${String(lost)})`)
  })

  test('by aborting above maxSendQueue, saying how much that was', async (stage) => {
    const { near, far } = await stage.stuck()
    const { transport } = near
    for (let written = 0; written < 1000 && !transport.disconnected; written++) {
      transport.write(pattern(65_536))
      await stage.settle()
    }
    await stage.settle()
    ended(near, 'ConnectionAborted', 'the near end')
    const cause = near.reason?.cause
    claim(cause instanceof SendQueueOverflow, `the cause is a SendQueueOverflow (it is: ${String(cause)})`)
    same(cause.limit, 1 << 20, 'the limit')
    moreThan(cause.offered, 1 << 20, 'the size offered')
    atMost(cause.offered, (1 << 20) + 65_536, 'the size offered')
    claim(cause.message.includes(String(cause.offered)), `"${cause.message}" names the size`)
    far.transport.resumeProducing()
    await stage.settle()
    ended(far, stage.brokenByPeer, 'the far end')
  })

  test('but lets a single write onto an empty queue be larger', async (stage) => {
    const { near, far } = await stage.connect()
    near.transport.write(pattern(2 << 20))
    await stage.settle()
    gotPattern(far, 2 << 20, 'at the far end')
    same(near.losses, 0, 'how often the connection was lost')
  })

  test('within a turn too: nothing of what was too much leaves', async (stage) => {
    const { near, far } = await stage.connect({}, {}, { near: { maxSendQueue: 1000 } })
    near.transport.write(pattern(600))
    near.transport.write(pattern(600))
    await stage.settle()
    ended(near, 'ConnectionAborted', 'the near end')
    claim(near.reason?.cause instanceof SendQueueOverflow, 'the cause is a SendQueueOverflow')
    same(far.size, 0, 'what arrived')
  })
}
