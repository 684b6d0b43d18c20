/**
 * What is to be sent leaves in its order: at once, or when the peer has taken what was sent before.
 *
 * No ancestor: Twisted's AMP writes whatever there is, and so holds as much as a peer that does not read lets pile up.
 * Towards the transport this is a producer for as long as there is no room, so that closing waits for what waits here.
 */
import { type Data, toBytes } from '../core/bytes.ts'
import { SendQueueOverflow } from '../core/errors.ts'
import type { PushProducer } from '../core/producer.ts'
import { highWater } from '../core/stream-connection.ts'
import type { Transport } from '../core/transport.ts'

/** Shared by all in which nothing waits; nothing is ever added to it. */
const nothing: Uint8Array[] = []

/** How many bytes may wait unless the owner says otherwise. */
const mostUnsent = 16_777_216

/** Who sends; a protocol, in most cases. */
export interface OutboxOwner {
  /** There from `connectionMade` on, and so is what can be sent. */
  readonly transport: Transport
  /** How many bytes may wait here: 16 MiB unless given. Beyond that the connection is aborted with SendQueueOverflow. */
  readonly maxUnsent?: number | undefined
}

/**
 * For a protocol that may have more to send than fits into the transport's queue (1 MiB, and then the connection is
 * aborted): a client that asks ten thousand questions at once. Without it, a transport that is full reads nothing either,
 * and two peers that both wait for the other to read wait for ever; with it, answers are read while questions wait.
 *
 * Nobody else may be registered as a producer of the transport.
 *
 * @example
 * class Client extends LineReceiver {
 *   readonly #outbox = new Outbox(this)
 *   ask(question: string) {
 *     this.#outbox.send(`${question}\r\n`)
 *   }
 * }
 */
export class Outbox implements PushProducer {
  readonly #owner: OutboxOwner
  readonly #roomMade: (() => void) | undefined
  #waiting: Uint8Array[] = nothing
  /** How many of them have left already. */
  #gone = 0
  /** Bytes of the others. */
  #size = 0
  #registered = false
  #full = false
  #held = false

  /** @param roomMade is called when nothing waits any more, after something did */
  constructor(owner: OutboxOwner, roomMade?: () => void) {
    this.#owner = owner
    this.#roomMade = roomMade
  }

  /** Everything waits until {@link release}. */
  get held(): boolean {
    return this.#held
  }

  /** How many bytes wait here. */
  get unsent(): number {
    return this.#size
  }

  /** @returns whether it left; if not, it waits here, and is not to be changed */
  send(data: Data): boolean {
    const bytes = toBytes(data)
    if (!this.#full && !this.#held) {
      this.#write(bytes)
      if (!this.#full) this.#unregister()
      return true
    }
    if (this.#waiting === nothing) this.#waiting = []
    this.#waiting.push(bytes)
    this.#size += bytes.length
    const { transport, maxUnsent = mostUnsent } = this.#owner
    if (this.#size > maxUnsent) {
      const slower = 'send more when the peer has taken what it has'
      transport.abortConnection(new SendQueueOverflow(transport.peer, this.#size, maxUnsent, slower, 'maxUnsent'))
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
    // What is sent from now on, the transport drops.
    this.#full = false
    this.drop()
  }

  /* ---------------------------------------------------------------- */

  #flush(): void {
    while (this.#gone < this.#waiting.length && !this.#full && !this.#held) {
      const bytes = this.#waiting[this.#gone++]!
      this.#size -= bytes.length
      this.#write(bytes)
    }
    if (this.#full || this.#held) return
    this.drop()
    this.#unregister()
    this.#roomMade?.()
  }

  #write(bytes: Uint8Array): void {
    const { transport } = this.#owner
    // Whoever is to be told that there is room again is registered before there is none.
    if (!this.#registered && transport.queued + bytes.length > highWater) {
      this.#registered = true
      transport.registerProducer(this, true)
    }
    transport.write(bytes)
  }

  #unregister(): void {
    if (!this.#registered) return
    this.#registered = false
    this.#owner.transport.unregisterProducer()
  }
}
