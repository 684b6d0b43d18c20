/**
 * A hop lets everything that waits for promises go on, and comes back when nothing is left to do but the world's events.
 *
 * Microtasks cannot be counted and may make more of themselves; one macrotask later they are all done. A message to
 * oneself is the only macrotask that Node and browsers share and that takes no time. No ancestor.
 */

export class Hop {
  readonly #channel = new MessageChannel()
  #landed: (() => void) | undefined

  constructor() {
    this.#channel.port1.addEventListener('message', () => this.#landed?.())
    this.#channel.port1.start()
  }

  /** Settles when all microtasks are done. One at a time. */
  microtasks(): Promise<void> {
    return new Promise((resolve) => {
      this.#landed = resolve
      this.#channel.port2.postMessage(undefined)
    })
  }

  /** No hops any more: nothing keeps the program alive. */
  close(): void {
    this.#channel.port1.close()
  }
}
