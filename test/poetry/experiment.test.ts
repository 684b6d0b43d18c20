import { CancelledError, Deferred, Recorder, setTracer, toBytes, toText } from 'couplet'
import { builtInPoems, drawBar, experiment, type Experiment, type Run } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { describe, expect, it } from 'vitest'

const poems = builtInPoems.map(({ text }) => toBytes(text))

/** Runs it in a world of its own, for as long as it takes there. */
function inVirtualTime(sim: Sim, options: { poems: readonly Uint8Array[]; latency?: number }): Experiment {
  const server = sim.host('poets')
  const [address] = server.addresses
  let result: Experiment | undefined
  experiment({
    poets: server.reactor,
    reader: sim.host('reader').reactor,
    interface: address?.host,
    ...options,
  }).addCallback((value) => {
    result = value
  })
  sim.advance(3_600_000 * 24)
  if (result === undefined) throw new Error('the experiment has not ended within a day')
  return result
}

describe('the experiment', () => {
  it('takes 12 seconds one after another and 4 seconds all at once, for the same bytes in the same order', () => {
    const { sequential, concurrent } = inVirtualTime(new Sim(), { poems })
    expect([sequential.ms, concurrent.ms]).toEqual([12_000, 4000])
    expect(sequential.poems.map(toText)).toEqual(builtInPoems.map(({ text }) => text))
    expect(concurrent.poems).toEqual(sequential.poems)
  })

  it('leaves whoever records this program as it found them', () => {
    const sim = new Sim()
    const recorder = new Recorder({ now: () => sim.now })
    const restore = setTracer(recorder)
    try {
      inVirtualTime(sim, { poems })
      const before = recorder.events.length
      void new Deferred()
      expect(recorder.events.length).toBe(before + 1)
    } finally {
      restore()
    }
  })

  it('can be cancelled in the middle, and leaves no poet behind', () => {
    const sim = new Sim({ latency: 100 })
    const { reactor } = sim.host('poets')
    let error: unknown
    const running = experiment({ poets: reactor, reader: sim.host('reader').reactor, interface: '10.0.0.1', poems })
    running.addErrback(({ value }) => (error = value))
    sim.advance(2500)
    running.cancel()
    sim.advance(1000)
    expect(error).toBeInstanceOf(CancelledError)
    expect(sim.pending).toBe(0)
  })

  it('is told apart by its picture: bars after each other, and bars above each other', () => {
    const { sequential, concurrent } = inVirtualTime(new Sim(), { poems })
    const picture = ({ tasks }: Run) => tasks.map((task) => drawBar(task, { span: 12_000, width: 24, now: 12_000 }))
    expect(picture(sequential)).toEqual(['─●─●─●─●', '        ─●─●─●─●', '                ─●─●─●─●'])
    expect(picture(concurrent)).toEqual(['─●─●─●─●', '─●─●─●─●', '─●─●─●─●'])
  })
})
