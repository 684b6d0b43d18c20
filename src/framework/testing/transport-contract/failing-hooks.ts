/**
 * The contract: what your code throws, or fails with later, ends its own connection and nothing else.
 *
 * Ancestor: `twisted.internet.test.test_tcp` (`test_protocolGarbageAfterLostConnection` and its like); adopting
 * promises is ours.
 */
import { attach } from '../../core/attach.ts'
import { Factory } from '../../core/factory.ts'
import type { WitnessScript } from '../witness.ts'
import { claim, ended, endedBecauseOf, same, throws } from './assertions.ts'
import type { Define } from './stage.ts'
import type { TransportCapability } from './transport-world.ts'

type Fail = () => never

const write: WitnessScript = { made: (self) => self.transport.write('x') }
const lose: WitnessScript = { made: (self) => self.transport.loseConnection() }
/** Would close when it hears of our end; and who hears of that first has no writeConnectionLost any more. */
const hearsNothing: WitnessScript = { made: (self) => self.transport.pauseProducing() }

/** Each hook: a script in which it fails, and what the peer does to make it happen. */
const hooks: readonly [
  hook: string,
  near: (fail: Fail) => WitnessScript,
  far: WitnessScript,
  needs?: TransportCapability,
][] = [
  ['dataReceived', (fail) => ({ data: fail }), write],
  ['readConnectionLost', (fail) => ({ readLost: fail }), lose, 'half close'],
  [
    'writeConnectionLost',
    (fail) => ({ writeLost: fail, made: (self) => self.transport.loseWriteConnection() }),
    hearsNothing,
    'half close',
  ],
  ['stopping', (fail) => ({ stopping: fail }), {}],
]

export function failsItsOwn(test: Define): void {
  const error = new Error('a mistake of the program')
  const ways: readonly [how: string, fail: Fail][] = [
    [
      'throws',
      () => {
        throw error
      },
    ],
    ['returns a promise that is rejected', () => Promise.reject(error) as never],
  ]

  for (const [how, fail] of ways) {
    for (const [hook, script, farScript, need] of hooks) {
      test(
        `${hook} ${how}: its connection ends with that as the cause, reported once, and others go on`,
        async (stage) => {
          const other = await stage.connect()
          const { near, far, nearEnd } = await stage.connect(script(fail), farScript)
          await stage.settle()
          nearEnd.askToStop()
          await stage.settle()
          endedBecauseOf(error, near, 'ConnectionAborted', 'the near end')
          far.transport.resumeProducing()
          await stage.settle()
          ended(far, ['ConnectionDone', 'ConnectionLost'], 'the far end')
          const [report] = stage.expectReported([error])
          claim(report?.what.includes(`${hook} of Witness failed`) === true, `"${report?.what}" says which hook it was`)
          same(report.subject, near, 'whom it happened to')
          other.near.transport.write('still here')
          await stage.settle()
          same(other.far.text, 'still here', 'what arrived on another connection')
        },
        ...(need === undefined ? [] : [need]),
      )
    }

    test(`connectionLost ${how}: it is reported, and those who wait for the end are told`, async (stage) => {
      const { near, nearEnd } = await stage.connect({ lost: fail })
      const lost = nearEnd.whenLost()
      near.transport.loseConnection()
      await stage.settle()
      same(await lost, near.reason, 'the reason')
      ended(near, 'ConnectionDone', 'the near end')
      stage.expectReported([error])
    })
  }

  test('connectionMade throws: deliverTo throws it too, and the connection is aborted with it', async (stage) => {
    const [nearEnd, farEnd] = await stage.pair()
    const far = stage.witness()
    farEnd.deliverTo(far)
    const near = stage.witness({
      made() {
        throw error
      },
    })
    throws(() => nearEnd.deliverTo(near), error, 'deliverTo')
    same(near.calls, ['made'], 'what it was told inside deliverTo')
    await stage.settle()
    // It went to whoever called deliverTo, so it is not reported: the stage sees to that.
    endedBecauseOf(error, near, 'ConnectionAborted', 'the near end')
    ended(far, stage.brokenByPeer, 'the far end')
  })

  test('connectionMade returns a promise that is rejected: the same, reported once', async (stage) => {
    const { near } = await stage.connect({ made: () => Promise.reject(error) })
    await stage.settle()
    endedBecauseOf(error, near, 'ConnectionAborted', 'the near end')
    stage.expectReported([error])
  })

  test('connectionMade throws: the Deferred of attach fails with it', async (stage) => {
    const [nearEnd] = await stage.pair()
    const failing = stage.witness({
      made() {
        throw error
      },
    })
    let failure: unknown
    attach(
      Factory.forProtocol(() => failing),
      nearEnd,
    ).addErrback(({ value }) => {
      failure = value
    })
    await stage.settle()
    same(failure, error, 'what attach failed with')
    endedBecauseOf(error, failing, 'ConnectionAborted', 'the near end')
  })

  test(
    'a promise that is rejected while the connection closes is its cause, and no reset disturbs the peer',
    async (stage) => {
      const { near, far } = await stage.connect({ readLost: () => Promise.reject(error) }, { readLost: () => {} })
      near.transport.loseWriteConnection()
      await stage.settle()
      far.transport.loseWriteConnection()
      await stage.settle()
      endedBecauseOf(error, near, 'ConnectionAborted', 'the near end')
      ended(far, 'ConnectionDone', 'the far end')
      stage.expectReported([error])
    },
    'half close',
  )

  test('inputEnded throws: the connection is aborted with it, and nothing more is asked', async (stage) => {
    const script: WitnessScript = {
      ended() {
        throw error
      },
      readLost() {},
    }
    const { near } = await stage.connect(script, lose)
    await stage.settle()
    same(near.calls, ['made', 'inputEnded', 'lost'], 'what it was told')
    endedBecauseOf(error, near, 'ConnectionAborted', 'the near end')
    stage.expectReported([error])
  })

  test('what is thrown and is no Error becomes the cause of one', async (stage) => {
    const script: WitnessScript = {
      data() {
        // oxlint-disable-next-line typescript/only-throw-error -- other people's code does
        throw 'a string'
      },
    }
    const { near } = await stage.connect(script, write)
    await stage.settle()
    ended(near, 'ConnectionAborted', 'the near end')
    const cause = near.reason?.cause
    claim(cause instanceof Error, 'the cause is an Error')
    same(cause.cause, 'a string', 'what was thrown')
    stage.expectReported(['a string'])
  })
}
