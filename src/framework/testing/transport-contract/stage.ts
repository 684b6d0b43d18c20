/**
 * The stage on which one test of the contract plays: its world, its witnesses, and what was reported meanwhile.
 *
 * No ancestor. When the test is over the stage looks round: a witness that was told something in a wrong order, or a
 * report that nobody expected, fails the test whatever it was about.
 */
import { type Report, setReporter } from '../../deferred/reporter.ts'
import type { Connection } from '../../core/transport.ts'
import { pattern } from '../pattern.ts'
import { Witness, type WitnessScript } from '../witness.ts'
import { type Ending, moreThan, same } from './assertions.ts'
import type { TransportCapability, ContractNetwork, PairLimits, TransportWorld } from './transport-world.ts'

/** A connected pair with a Witness at each end. */
export interface Ends {
  readonly near: Witness
  readonly far: Witness
  /** The connections, which the witnesses see as their transports. */
  readonly nearEnd: Connection
  readonly farEnd: Connection
}

/** Says what one test of the contract is, and what a transport must be able to do for it. */
export type Define = (name: string, body: (stage: Stage) => Promise<void>, ...needs: TransportCapability[]) => void

export class Stage {
  readonly #world: TransportWorld
  readonly #lacks: readonly TransportCapability[]
  readonly #witnesses: Witness[] = []
  #reports: Report[] = []
  #reportsMatter = true

  constructor(world: TransportWorld, lacks: readonly TransportCapability[]) {
    this.#world = world
    this.#lacks = lacks
  }

  /** Runs a test on a stage of its own. */
  static async play(
    world: TransportWorld,
    lacks: readonly TransportCapability[],
    body: (stage: Stage) => Promise<void>,
  ): Promise<void> {
    const stage = new Stage(world, lacks)
    const restore = setReporter((report) => stage.#reports.push(report))
    try {
      await body(stage)
      stage.#lookRound()
    } finally {
      await world.close?.()
      restore()
    }
  }

  can(capability: TransportCapability): boolean {
    return !this.#lacks.includes(capability)
  }

  /** What an abort looks like to the peer. */
  get brokenByPeer(): readonly Ending[] {
    return this.can('reset') ? ['ConnectionLost'] : ['ConnectionLost', 'ConnectionDone']
  }

  get network(): ContractNetwork {
    const { network } = this.#world
    if (network === undefined) throw new Error("the world has no network: say `lacks: ['network']`, or give it one")
    return network
  }

  /** See {@link TransportWorld.plenty}. */
  get plenty(): number {
    return this.#world.plenty
  }

  async settle(): Promise<void> {
    await this.#world.settle()
  }

  /** A Witness that the stage keeps an eye on. */
  witness(script: WitnessScript = {}): Witness {
    const witness = new Witness(script)
    this.#witnesses.push(witness)
    return witness
  }

  async pair(limits?: PairLimits): Promise<readonly [near: Connection, far: Connection]> {
    return await this.#world.pair(limits)
  }

  /** Two witnesses that are connected. */
  async connect(near: WitnessScript = {}, far: WitnessScript = {}, limits?: PairLimits): Promise<Ends> {
    const [nearEnd, farEnd] = await this.pair(limits)
    const ends = { near: this.witness(near), far: this.witness(far), nearEnd, farEnd }
    farEnd.deliverTo(ends.far)
    nearEnd.deliverTo(ends.near)
    return ends
  }

  /** Two witnesses that are connected, and the far one does not read. */
  stuck(near: WitnessScript = {}, far: WitnessScript = {}, limits?: PairLimits): Promise<Ends> {
    return this.connect(near, { ...far, made: (self) => self.transport.pauseProducing() }, limits)
  }

  /** The far one does not read, all buffers are full, and more waits at the near one: `plenty` in all. */
  async clogged(near: WitnessScript = {}, far: WitnessScript = {}, limits: PairLimits = {}): Promise<Ends> {
    const ends = await this.stuck(near, far, { ...limits, near: { maxSendQueue: 4 * this.plenty, ...limits.near } })
    ends.nearEnd.write(pattern(this.plenty))
    await this.settle()
    const waits = ends.nearEnd.queued
    moreThan(waits, 65_536, `what waits while the peer reads nothing (is a plenty of ${this.plenty} bytes too little?)`)
    await this.settle()
    same(ends.nearEnd.queued, waits, 'what waits a little later')
    return ends
  }

  /** The far one reads all there is. */
  async drain({ far }: Ends): Promise<void> {
    far.transport.resumeProducing()
    await this.settle()
  }

  /** Whether something is worth a report is not this test's business, from now on. */
  ignoreReports(): void {
    this.#reportsMatter = false
  }

  /** Exactly these errors were reported by now, and the stage forgets them. */
  expectReported(errors: readonly unknown[]): readonly Report[] {
    const reports = this.#reports
    this.#reports = []
    same(
      reports.map((report) => report.error),
      errors,
      'what was reported',
    )
    return reports
  }

  #lookRound(): void {
    if (this.#reportsMatter) this.expectReported([])
    for (const { complaints } of this.#witnesses) same(complaints, [], 'what was told in a wrong way')
  }
}
