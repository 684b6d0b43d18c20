/**
 * A heartbeat over UDP: run the monitor with `npm run example -- heartbeat`, and in other terminals
 * `npm run example -- heartbeat alice` and `npm run example -- heartbeat bob`; end one of them, and start it again.
 *
 * Look at what nobody does: no connection, no answer, no error when a beat gets lost. Silence is all there is to see, so
 * the monitor has to have a clock. Try: say how many beats got lost (they are numbered).
 */
import { type Clock, DatagramProtocol, type DelayedCall, type IPAddress, LoopingCall, toText } from 'couplet'
import { react } from 'couplet/node'

/** Sends a beat now and every `ms` milliseconds. */
export class Heart extends DatagramProtocol {
  readonly #beating: LoopingCall
  readonly #ms: number
  #beats = 0

  constructor(name: string, monitor: IPAddress, ms: number, clock: Clock) {
    super()
    this.#ms = ms
    this.#beating = new LoopingCall(clock, () => this.transport.write(`beat ${name} ${++this.#beats}`, monitor))
  }

  override startProtocol(): void {
    this.#beating.start(this.#ms)
  }

  override stopProtocol(): void {
    this.#beating.stop()
  }

  /** The network is away, and will be back. */
  override datagramLost(): void {}
}

/** Says who has begun to beat, and who has been silent for `patience` milliseconds. */
export class Monitor extends DatagramProtocol {
  readonly #clock: Clock
  readonly #patience: number
  readonly #say: (line: string) => void
  readonly #alive = new Map<string, DelayedCall>()
  /** Anybody can make up names, so there is a limit. */
  readonly most = 1000

  constructor(clock: Clock, patience: number, say: (line: string) => void) {
    super()
    this.#clock = clock
    this.#patience = patience
    this.#say = say
  }

  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    const [, name] = /^beat ([\w.-]{1,32}) \d{1,15}$/.exec(toText(datagram)) ?? []
    // Whatever else arrives here was not meant for us.
    if (name === undefined) return
    const silence = this.#alive.get(name)
    if (silence !== undefined) return silence.reset(this.#patience)
    if (this.#alive.size >= this.most) return
    this.#say(`${name} is here (${from.host})`)
    const lost = (): void => {
      this.#alive.delete(name)
      this.#say(`${name} has been silent for ${this.#patience / 1000} s`)
    }
    this.#alive.set(name, this.#clock.callLater(this.#patience, lost))
  }

  override stopProtocol(): void {
    for (const silence of this.#alive.values()) silence.cancel()
    this.#alive.clear()
  }
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, name = '', port = '7100') => {
    const local = { interface: '127.0.0.1' }
    if (name === '') {
      const monitor = await reactor.listenUDP(Number(port), new Monitor(reactor, 3500, console.log), local)
      console.log(`listening on ${monitor.host}`)
    } else {
      const [address] = await reactor.resolve('127.0.0.1')
      await reactor.listenUDP(0, new Heart(name, address!.withPort(Number(port)), 1000, reactor), local)
    }
    await reactor.whenStopped()
  })
}
