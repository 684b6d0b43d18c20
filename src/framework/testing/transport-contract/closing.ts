/**
 * The contract: loseConnection delivers what was written, and whatever is done in whatever state, a connection ends
 * once.
 *
 * Ancestor: `twisted.internet.test.connectionmixins.ConnectionTestsMixin`.
 */
import type { ConnectionClosed } from '../../core/errors.ts'
import { pattern } from '../pattern.ts'
import type { Witness } from '../witness.ts'
import { claim, ended, endedBecauseOf, gotPattern, oneOf, same } from './assertions.ts'
import type { Define, Stage } from './stage.ts'
import type { PairLimits, TransportCapability } from './transport-world.ts'

/** Where it takes seconds until all is quiet, the near end would otherwise stop waiting for a peer that is only slow. */
const patient: PairLimits = { near: { linger: 3_600_000 } }

export function losesConnections(test: Define): void {
  test('delivers everything written before, then ends cleanly on both sides', async (stage) => {
    const { near, far } = await stage.connect()
    near.transport.write(pattern(1 << 20))
    near.transport.loseConnection()
    same(near.losses, 0, 'losses inside the call')
    same([near.transport.disconnecting, near.transport.disconnected], [true, false], 'disconnecting, disconnected')
    await stage.settle()
    gotPattern(far, 1 << 20, 'at the far end')
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
    same(far.calls, ['made', 'data', 'inputEnded', 'lost'], 'what the far end was told')
  })

  test('delivers although the peer has sent what nobody reads', async (stage) => {
    const { near, far } = await stage.connect({ made: (self) => self.transport.pauseProducing() })
    far.transport.write(pattern(200 << 10))
    near.transport.write(pattern(4 << 20))
    await stage.settle()
    near.transport.loseConnection()
    await stage.settle()
    gotPattern(far, 4 << 20, 'at the far end')
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
  })

  test('delivers a megabyte to a reader that pauses after every chunk', async (stage) => {
    const ends = await stage.connect({}, { data: (self) => self.transport.pauseProducing() }, patient)
    const { near, far } = ends
    near.transport.write(pattern(1 << 20))
    near.transport.loseConnection()
    await stage.settle()
    while (far.losses === 0) await stage.drain(ends)
    gotPattern(far, 1 << 20, 'at the far end')
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
  })

  test('drops what is written after it, in silence', async (stage) => {
    const { near, far } = await stage.connect()
    near.transport.write('before')
    near.transport.loseConnection()
    near.transport.write(' after')
    near.transport.writeSequence([' after', ' that'])
    await stage.settle()
    near.transport.write('and later')
    await stage.settle()
    same(far.text, 'before', 'what arrived')
  })

  test('delivers nothing to us any more, even when resumed', async (stage) => {
    const { near, far } = await stage.connect({ made: (self) => self.transport.pauseProducing() })
    far.transport.write(pattern(100_000))
    await stage.settle()
    near.transport.loseConnection()
    near.transport.resumeProducing()
    far.transport.write('and this')
    await stage.settle()
    same(near.calls, ['made', 'lost'], 'what the near end was told')
    // What nobody heard was read nevertheless: unread input would have turned the close into a reset.
    ended(near, 'ConnectionDone', 'the near end')
    ended(far, 'ConnectionDone', 'the far end')
  })

  test('works from inside connectionMade and dataReceived as from elsewhere', async (stage) => {
    const first = await stage.connect({
      made: (self) => (self.transport.write('more'), self.transport.loseConnection()),
    })
    const second = await stage.connect(
      { data: (self) => (self.text === 'more' ? self.transport.loseConnection() : undefined) },
      { made: (self) => self.transport.write('more') },
    )
    await stage.settle()
    same([first.far.text, second.near.text], ['more', 'more'], 'what arrived')
    for (const { near, far } of [first, second]) {
      ended(near, 'ConnectionDone', 'the near end')
      ended(far, 'ConnectionDone', 'the far end')
    }
  })

  test('with a cause ends as ConnectionAborted with that cause, after delivering', async (stage) => {
    const { near, far } = await stage.connect()
    const cause = new Error('a frame broke the rules')
    near.transport.write('goodbye')
    near.transport.loseConnection({ cause })
    await stage.settle()
    endedBecauseOf(cause, near, 'ConnectionAborted', 'the near end')
    same(far.text, 'goodbye', 'what arrived')
    ended(far, 'ConnectionDone', 'the far end')
  })

  test('keeps its cause when the connection breaks before it is closed', async (stage) => {
    const { near, far } = await stage.clogged()
    const cause = new Error('a frame broke the rules')
    near.transport.loseConnection({ cause })
    await stage.settle()
    far.transport.abortConnection()
    await stage.settle()
    endedBecauseOf(cause, near, 'ConnectionAborted', 'the near end')
  })

  test('tells everybody who waits, before and after, the same reason', async (stage) => {
    const order: string[] = []
    const { near, nearEnd } = await stage.connect({ lost: () => void order.push('connectionLost') })
    const told: ConnectionClosed[] = []
    for (const name of ['first', 'second']) {
      nearEnd.whenLost().addCallback((reason) => {
        order.push(name)
        told.push(reason)
      })
    }
    near.transport.loseConnection()
    await stage.settle()
    same(order, ['connectionLost', 'first', 'second'], 'who was told, in order')
    same([...told, await nearEnd.whenLost()], [near.reason, near.reason, near.reason], 'the reasons')
  })

  test('asked for by askToStop, for a protocol that knows nothing of stopping', async (stage) => {
    const { near, far, nearEnd } = await stage.connect()
    near.transport.write('last words')
    nearEnd.askToStop()
    await stage.settle()
    same(far.text, 'last words', 'what arrived')
    ended(near, 'ConnectionDone', 'the near end')
  })

  test('left to a protocol that has a stopping, which finishes in its own time', async (stage) => {
    const { near, far, nearEnd } = await stage.connect({ stopping: (self) => self.transport.write('goodbye') })
    nearEnd.askToStop()
    await stage.settle()
    same([near.losses, far.text], [0, 'goodbye'], 'losses, and what arrived')
    near.transport.loseConnection()
    await stage.settle()
    nearEnd.askToStop()
    same(near.calls, ['made', 'stopping', 'lost'], 'what it was told')
  })

  test(
    'reads on behind its own end for a mebibyte that nobody wants, and no longer',
    async (stage) => {
      const { near, far } = await stage.connect({}, { readLost: () => {} }, patient)
      near.transport.loseConnection()
      await stage.settle()
      same(far.calls, ['made', 'inputEnded', 'readLost'], 'what the far end was told')
      far.transport.write(pattern(1_000_000))
      await stage.settle()
      same([near.losses, far.losses, far.transport.queued], [0, 0, 0], 'losses, and what waits, below the limit')
      far.transport.write(pattern(100_000))
      await stage.settle()
      // All that we had to say is with the peer: that the peer has more to say is no loss of ours.
      ended(near, 'ConnectionDone', 'the near end')
      same(near.calls, ['made', 'lost'], 'what the near end was told')
      // A peer that read no further was closed with or without a reset, as its chunks fell: the one for the first word may
      // be what the second one meets.
      for (let word = 0; word < 2 && far.losses === 0; word++) {
        far.transport.write('and this')
        await stage.settle()
      }
      ended(far, stage.brokenByPeer, 'the far end')
    },
    'half close',
  )

  test('makes an end of input that came too early a ConnectionLost with that cause', async (stage) => {
    const cause = new Error('half a message')
    const { near, far } = await stage.connect({}, { ended: () => cause, readLost: () => {} })
    near.transport.write('half a mess')
    near.transport.loseConnection()
    await stage.settle()
    endedBecauseOf(cause, far, 'ConnectionLost', 'the far end')
    claim(!far.calls.includes('readLost'), 'a truncated message is no half close')
    ended(near, 'ConnectionDone', 'the near end')
  })
}

type Act = (self: Witness) => void

const lose: Act = (self) => self.transport.loseConnection()
const abort: Act = (self) => self.transport.abortConnection()

const acts: readonly [name: string, act: Act, needs?: TransportCapability][] = [
  ['loseConnection', lose],
  ['abortConnection', abort],
  ['loseWriteConnection', (self) => self.transport.loseWriteConnection(), 'half close'],
  ['write', (self) => self.transport.write('more')],
  ['pauseProducing', (self) => self.transport.pauseProducing()],
]

const states: readonly [
  name: string,
  enter: (near: Witness, far: Witness) => void,
  needs: readonly TransportCapability[],
][] = [
  ['open', () => {}, []],
  [
    'with a queue that does not move',
    ({ transport }, far) => {
      far.transport.pauseProducing()
      transport.write(pattern(900_000))
    },
    [],
  ],
  ['half closed by us', ({ transport }) => transport.loseWriteConnection(), ['half close']],
  ['half closed by the peer', (_near, { transport }) => transport.loseWriteConnection(), ['half close']],
  ['with bytes on their way to us', (_near, { transport }) => transport.write(pattern(200_000)), []],
]

export function closesBothWays(test: Define): void {
  for (const [state, enter, needs] of states) {
    test(
      `${state}: any two of ${acts.map(([name]) => name).join(', ')} end it once`,
      async (stage) => {
        const possible = acts.filter(([, , need]) => need === undefined || stage.can(need))
        for (const [first, one] of possible) {
          for (const [second, two] of possible) await endsOnce(stage, enter, `${first}, then ${second}`, one, two)
        }
      },
      ...needs,
    )
  }

  for (const [how, end] of [
    ['closed', lose],
    ['aborted', abort],
  ] as const) {
    test(`after it was ${how}: everything is silent and nothing is said any more`, async (stage) => {
      const { near, far, nearEnd } = await stage.connect()
      const { transport } = near
      end(near)
      await stage.settle()
      const calls = [...near.calls]
      transport.write('x')
      transport.writeSequence(['x', 'y'])
      transport.loseConnection()
      transport.loseWriteConnection()
      transport.abortConnection(new Error('too late'))
      transport.pauseProducing()
      transport.resumeProducing()
      transport.stopProducing()
      transport.unregisterProducer()
      nearEnd.askToStop()
      far.transport.write('x')
      await stage.settle()
      same(near.calls, calls, 'what it was told')
      same(near.transport, transport, 'its transport')
      same([transport.disconnecting, transport.disconnected], [true, true], 'disconnecting, disconnected')
      same(transport.queued, 0, 'what waits')
    })
  }
}

async function endsOnce(
  stage: Stage,
  enter: (near: Witness, far: Witness) => void,
  what: string,
  one: Act,
  two: Act,
): Promise<void> {
  const { near, far, nearEnd } = await stage.connect()
  enter(near, far)
  await stage.settle()
  const before = near.losses
  one(near)
  two(near)
  same(near.losses, before, `${what}: losses inside the calls`)
  await stage.settle()
  // Whatever it was: the far side reads on and closes, and an end comes to both.
  far.transport.resumeProducing()
  near.transport.resumeProducing()
  lose(near)
  lose(far)
  await stage.settle()
  const aborted = before === 0 && (one === abort || two === abort)
  ended(near, aborted ? 'ConnectionAborted' : 'ConnectionDone', `the near end (${what})`)
  ended(far, ['ConnectionDone', 'ConnectionLost'], `the far end (${what})`)
  oneOf(await nearEnd.whenLost(), [near.reason], `whenLost (${what})`)
}
