/**
 * The contract: abortConnection drops everything and ends a connection at once, from wherever it is called; and so does
 * a peer that does it.
 *
 * Ancestor: `twisted.internet.test.test_tcp.AbortConnectionMixin`.
 */
import { ConnectionAborted, ConnectionLost } from '../../core/errors.ts'
import { pattern } from '../pattern.ts'
import type { Witness, WitnessScript } from '../witness.ts'
import { claim, ended, endedBecauseOf, same } from './assertions.ts'
import type { Define } from './stage.ts'

const abort = (self: Witness): void => self.transport.abortConnection()
const lose = (self: Witness): void => self.transport.loseConnection()

/** Each hook: a script that aborts in it, and what the peer does to make it happen. */
const hooks: readonly [hook: string, near: WitnessScript, far: WitnessScript][] = [
  ['connectionMade', { made: abort }, {}],
  ['dataReceived', { data: abort }, { made: (self) => self.transport.write('x') }],
  ['inputEnded', { ended: abort }, { made: lose }],
  ['readConnectionLost', { readLost: abort }, { made: lose }],
  [
    'writeConnectionLost',
    { writeLost: abort, made: (self) => self.transport.loseWriteConnection() },
    // It would close, and if that is heard first there is no such hook any more.
    { made: (self) => self.transport.pauseProducing() },
  ],
]

export function abortsConnections(test: Define): void {
  test('drops what waits; it is ConnectionAborted here and ConnectionLost there', async (stage) => {
    const { near, far } = await stage.clogged()
    const cause = new Error('enough')
    near.transport.abortConnection(cause)
    same([near.transport.disconnecting, near.transport.disconnected], [true, true], 'disconnecting, disconnected')
    same(near.transport.queued, 0, 'what waits')
    same(near.losses, 0, 'losses inside the call')
    await stage.settle()
    endedBecauseOf(cause, near, 'ConnectionAborted', 'the near end')
    claim(near.reason?.message.includes('enough') === true, `"${near.reason?.message}" says what broke`)
    // A paused end with full buffers does not look at the wire, so it may learn of it only now.
    far.transport.resumeProducing()
    await stage.settle()
    ended(far, stage.brokenByPeer, 'the far end')
    claim(far.size < stage.plenty, 'not everything has arrived')
  })

  test('in the turn of the writes sends none of them', async (stage) => {
    const { near, far } = await stage.connect()
    near.transport.write('never said')
    near.transport.abortConnection()
    await stage.settle()
    same(far.text, '', 'what arrived')
    ended(far, stage.brokenByPeer, 'the far end')
  })

  test('twice does no more than once, and the first cause stays', async (stage) => {
    const { near } = await stage.connect()
    const first = new Error('first')
    near.transport.abortConnection(first)
    near.transport.abortConnection(new Error('second'))
    await stage.settle()
    near.transport.abortConnection(new Error('third'))
    await stage.settle()
    endedBecauseOf(first, near, 'ConnectionAborted', 'the near end')
  })

  test('ends a close that is stuck', async (stage) => {
    const { near, far } = await stage.clogged()
    near.transport.loseConnection()
    await stage.settle()
    same(near.losses, 0, 'losses while the peer does not read')
    near.transport.abortConnection()
    await stage.settle()
    ended(near, 'ConnectionAborted', 'the near end')
    far.transport.resumeProducing()
    await stage.settle()
    ended(far, stage.brokenByPeer, 'the far end')
  })

  test('ends a close of ours that the peer does not answer', async (stage) => {
    const { near } = await stage.stuck()
    near.transport.loseConnection()
    await stage.settle()
    same(near.losses, 0, 'losses while the peer does not answer')
    near.transport.abortConnection()
    await stage.settle()
    ended(near, 'ConnectionAborted', 'the near end')
  })

  for (const [hook, near, far] of hooks) {
    const needs = hook.endsWith('ConnectionLost') ? (['half close'] as const) : []
    test(
      `is never synchronous, and works inside ${hook}`,
      async (stage) => {
        const ends = await stage.connect(near, far)
        await stage.settle()
        // Had connectionLost come inside of the hook, the witness would have complained.
        ended(ends.near, 'ConnectionAborted', 'the near end')
        await stage.drain(ends)
        ended(ends.far, ['ConnectionDone', 'ConnectionLost'], 'the far end')
      },
      ...needs,
    )
  }

  test('inside connectionLost does nothing', async (stage) => {
    const { near } = await stage.connect({ lost: abort }, { made: lose })
    await stage.settle()
    ended(near, 'ConnectionDone', 'the near end')
  })

  test('by the peer is ConnectionLost, naming the peer and with what broke as the cause', async (stage) => {
    const { near, far } = await stage.clogged()
    far.transport.abortConnection()
    await stage.settle()
    ended(near, 'ConnectionLost', 'the near end')
    claim(near.reason instanceof ConnectionLost, 'it is a ConnectionLost')
    claim(!(near.reason instanceof ConnectionAborted), 'it is not us who aborted')
    claim(near.reason.cause instanceof Error, `there is a cause (it is: ${String(near.reason.cause)})`)
    const { peer } = near.transport
    claim(near.reason.message.includes(String(peer)), `"${near.reason.message}" names the peer, ${peer}`)
    same(near.transport.queued, 0, 'what waits')
  })

  test(
    'by the peer behind what it has sent is no clean end',
    async (stage) => {
      const { near, far } = await stage.connect()
      far.transport.write(pattern(1000))
      await stage.settle()
      far.transport.abortConnection()
      await stage.settle()
      ended(near, 'ConnectionLost', 'the near end')
      claim(!near.calls.includes('inputEnded'), 'the input has not ended')
    },
    'reset',
  )

  test('is what inputEnded does, or closing: then nothing more is told', async (stage) => {
    for (const act of [abort, lose]) {
      const { near, far } = await stage.connect({}, { ended: act, readLost() {} })
      lose(near)
      await stage.settle()
      same(far.calls, ['made', 'inputEnded', 'lost'], 'what the far end was told')
    }
  })
}
