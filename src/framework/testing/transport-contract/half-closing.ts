/**
 * The contract: one direction ends, the other goes on, until both have ended.
 *
 * Ancestor: `twisted.internet.test.test_tcp` (`IHalfCloseableProtocol`) and trio's `check_half_closeable_stream`.
 */
import { pattern } from '../pattern.ts'
import type { WitnessScript } from '../witness.ts'
import { claim, ended, gotPattern, same } from './assertions.ts'
import type { Define } from './stage.ts'

/** Stays when the peer has ended. */
const staying: WitnessScript = { readLost: () => {}, writeLost: () => {} }

export function closesByHalves(test: Define): void {
  const define: Define = (name, body) => test(name, body, 'half close')

  define('sends what was written, tells both sides, and leaves the other direction open', async (stage) => {
    const { near, far } = await stage.connect(staying, staying)
    near.transport.write('question')
    near.transport.loseWriteConnection()
    near.transport.write(' dropped')
    await stage.settle()
    same(far.text, 'question', 'what arrived')
    same(far.calls, ['made', 'data', 'inputEnded', 'readLost'], 'what the far end was told')
    same(near.calls, ['made', 'writeLost'], 'what the near end was told')
    far.transport.write('answer')
    await stage.settle()
    same(near.text, 'answer', 'what came back')
    far.transport.loseConnection()
    await stage.settle()
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
  })

  define('of both directions closes the connection, once', async (stage) => {
    const { near, far } = await stage.connect(staying, staying)
    near.transport.loseWriteConnection()
    far.transport.loseWriteConnection()
    await stage.settle()
    for (const end of [near, far]) {
      ended(end, 'ConnectionDone', 'each end')
      claim(end.calls.includes('readLost') && end.calls.includes('writeLost'), 'each end is told of both halves')
    }
  })

  define('twice is the same as once', async (stage) => {
    const { near, far } = await stage.connect(staying, staying)
    near.transport.loseWriteConnection()
    near.transport.loseWriteConnection()
    await stage.settle()
    near.transport.loseWriteConnection()
    await stage.settle()
    same(near.calls, ['made', 'writeLost'], 'what the near end was told')
    same(far.calls, ['made', 'inputEnded', 'readLost'], 'what the far end was told')
  })

  define('is answered by closing, unless the protocol has readConnectionLost', async (stage) => {
    const { near, far } = await stage.connect()
    near.transport.loseWriteConnection()
    await stage.settle()
    ended(far, 'ConnectionDone', 'the far end')
    ended(near, 'ConnectionDone', 'the near end')
  })

  define('of a peer lets what waits to be sent go first', async (stage) => {
    const ends = await stage.clogged({}, staying)
    ends.far.transport.loseWriteConnection()
    await stage.settle()
    same(ends.near.losses, 0, 'how often the connection was lost while something waits')
    await stage.drain(ends)
    gotPattern(ends.far, stage.plenty, 'at the far end')
    ended(ends.near, 'ConnectionDone', 'the near end')
  })

  define('while much waits sends it all before the end', async (stage) => {
    const ends = await stage.clogged(staying, staying)
    ends.near.transport.loseWriteConnection()
    await stage.settle()
    same(ends.near.calls, ['made'], 'what the near end was told while it waits')
    await stage.drain(ends)
    gotPattern(ends.far, stage.plenty, 'at the far end')
    same(ends.near.calls, ['made', 'writeLost'], 'what the near end was told')
    same(ends.far.calls, ['made', 'data', 'inputEnded', 'readLost'], 'what the far end was told')
  })

  define('reaches a protocol that pauses only when it resumes', async (stage) => {
    const ends = await stage.stuck({}, staying)
    ends.near.transport.write(pattern(10_000))
    ends.near.transport.loseWriteConnection()
    await stage.settle()
    same(ends.far.calls, ['made'], 'what it was told while paused')
    await stage.drain(ends)
    same(ends.far.calls, ['made', 'data', 'inputEnded', 'readLost'], 'what it was told')
  })

  define('is no obstacle to loseConnection, which does not call back inside the call', async (stage) => {
    const { near, far } = await stage.connect(staying, staying)
    near.transport.loseWriteConnection()
    await stage.settle()
    near.transport.loseConnection()
    same(near.losses, 0, 'losses inside the call')
    far.transport.loseConnection()
    await stage.settle()
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
  })

  define('and a reset afterwards are two things', async (stage) => {
    const { near, far } = await stage.connect(staying, staying)
    near.transport.loseWriteConnection()
    await stage.settle()
    far.transport.abortConnection()
    await stage.settle()
    ended(near, stage.brokenByPeer, 'the near end')
    ended(far, 'ConnectionAborted', 'the far end')
  })
}
