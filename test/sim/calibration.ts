/** Small scripts for two ends of a connection, and what each end lives to see of them: on sockets and in simulation. */
import type { Connection } from 'couplet'
import type { RandomStream, Sim } from 'couplet/sim'
import { Witness } from 'couplet/testing'

/** What an end does, one after another, each in a turn of its own. */
export type Step = 'write' | 'write much' | 'close' | 'abort' | 'half-close' | 'pause' | 'resume' | 'wait'
export interface Script {
  readonly near: readonly Step[]
  readonly far: readonly Step[]
}

const steps: readonly Step[] = ['write', 'write much', 'close', 'abort', 'half-close', 'pause', 'resume', 'wait']
const much = new Uint8Array(200_000)

export function drawScript(random: RandomStream): Script {
  const draw = (): Step[] => Array.from({ length: random.between(1, 4) }, () => random.pick(steps))
  return { near: draw(), far: draw() }
}

export function act({ transport }: Witness, step: Step): void {
  if (step === 'write') transport.write('word')
  else if (step === 'write much') transport.write(much)
  else if (step === 'close') transport.loseConnection()
  else if (step === 'abort') transport.abortConnection()
  else if (step === 'half-close') transport.loseWriteConnection()
  else if (step === 'pause') transport.pauseProducing()
  else if (step === 'resume') transport.resumeProducing()
}

/** What an end has seen, in words: how much, how it ended, and why. */
function seenBy({ size, reason, complaints }: Witness, sent: number): string {
  const much = size === 0 ? 'nothing' : size === sent ? 'all' : 'a part'
  const why = reason === undefined ? 'still open' : `${reason.name}${reason.cause === undefined ? '' : ' because'}`
  return [much, why, ...complaints].join(', ')
}

/** How many bytes an end writes, if nothing stops it. */
function written(script: readonly Step[]): number {
  return script.reduce((sum, step) => sum + (step === 'write' ? 4 : step === 'write much' ? much.length : 0), 0)
}

/** Both ends with their witnesses. */
export function witnessed(near: Connection, far: Connection): { near: Witness; far: Witness } {
  const ends = { near: new Witness(), far: new Witness() }
  near.deliverTo(ends.near)
  far.deliverTo(ends.far)
  return ends
}

export function outcomeOf(script: Script, { near, far }: { near: Witness; far: Witness }): string {
  return `near: ${seenBy(near, written(script.far))}; far: ${seenBy(far, written(script.near))}`
}

/** Runs the script in a simulated world, in which the turns of the two ends come as chance has it. */
export function simulate(
  sim: Sim,
  ends: { near: Witness; far: Witness },
  script: Script,
  random: RandomStream,
): string {
  for (const [side, host] of [
    ['near', sim.hosts[0]!],
    ['far', sim.hosts[1]!],
  ] as const) {
    let at = random.pick([0, 0, 1, 5])
    for (const step of script[side]) {
      host.reactor.callLater(at, () => act(ends[side], step))
      at += random.pick([0, 0, 0.1, 1, 5])
    }
  }
  // Less than any timer of a connection; as long as quiet is waited for on sockets.
  sim.advance(4000)
  return outcomeOf(script, ends)
}
