/**
 * What is to be sent leaves in its order: at once, or when the transport has room, or when TLS is there.
 *
 * No ancestor: Twisted's AMP writes whatever there is, and so holds as much as a peer that does not read lets pile up.
 * Towards the transport this is a producer for as long as there is no room, so that closing waits for what waits here.
 */
import { SendQueueOverflow } from '../../core/errors.ts'
import type { PushProducer } from '../../core/producer.ts'
import { highWater } from '../../core/stream-connection.ts'
import type { Transport } from '../../core/transport.ts'

/** Shared by all in which nothing waits; nothing is ever added to it. */
const nothing: Uint8Array[] = []

/** Whose boxes they are. */
export interface OutboxOwner {
  readonly transport: Transport
  /** How many bytes may wait here. Beyond that the connection is aborted with SendQueueOverflow. */
  readonly maxUnsent: number
}

export class Outbox implements PushProducer {
  readonly #owner: OutboxOwner
  readonly #roomMade: () => void
  #waiting: Uint8Array[] = nothing
  /** How many of them have left already. */
  #gone = 0
  /** Bytes of the others. */
  #size = 0
  #registered = false
  #full = false
  #held = false

  /** @param roomMade is called when nothing waits any more, after something did */
  constructor(owner: OutboxOwner, roomMade: () => void) {
    this.#owner = owner
    this.#roomMade = roomMade
  }

  /** Everything waits until {@link release}. */
  get held(): boolean {
    return this.#held
  }

  /** @returns whether it left; if not, it waits here */
  send(box: Uint8Array): boolean {
    if (!this.#full && !this.#held) {
      this.#write(box)
      if (!this.#full) this.#unregister()
      return true
    }
    if (this.#waiting === nothing) this.#waiting = []
    this.#waiting.push(box)
    this.#size += box.length
    const { transport, maxUnsent } = this.#owner
    if (this.#size > maxUnsent) {
      transport.abortConnection(new SendQueueOverflow(transport.peer, this.#size, maxUnsent))
      this.drop()
    }
    return false
  }

  /** From now on everything waits. */
  hold(): void {
    this.#held = true
  }

  /** What waits may leave, and so may what follows. */
  release(): void {
    this.#held = false
    this.#flush()
  }

  /** Forgets what waits. */
  drop(): void {
    this.#waiting = nothing
    this.#gone = 0
    this.#size = 0
  }

  /* ---------------------------------------------------------------- what the transport calls */

  pauseProducing(): void {
    this.#full = true
  }

  resumeProducing(): void {
    this.#full = false
    this.#flush()
  }

  stopProducing(): void {
    this.#registered = false
    this.drop()
  }

  /* ---------------------------------------------------------------- */

  #flush(): void {
    while (this.#gone < this.#waiting.length && !this.#full && !this.#held) {
      const box = this.#waiting[this.#gone++]!
      this.#size -= box.length
      this.#write(box)
    }
    if (this.#full || this.#held) return
    this.drop()
    this.#unregister()
    this.#roomMade()
  }

  #write(box: Uint8Array): void {
    const { transport } = this.#owner
    // Whoever is to be told that there is room again is registered before there is none.
    if (!this.#registered && transport.queued + box.length > highWater) {
      this.#registered = true
      transport.registerProducer(this, true)
    }
    transport.write(box)
  }

  #unregister(): void {
    if (!this.#registered) return
    this.#registered = false
    this.#owner.transport.unregisterProducer()
  }
}
