/**
 * What is there to read and to write where a process has no pipe: nothing comes, and everything is taken.
 *
 * Ancestor: /dev/null, but for its end, which does not come either.
 */
import type { InputListener, OutputListener, PipeInput, PipeOutput } from '../../core/pipe-connection.ts'
import type { SimReactor } from '../sim-reactor.ts'

export class NullDevice implements PipeInput, PipeOutput {
  readonly unsent = 0
  readonly #reactor: SimReactor
  #listener: InputListener | OutputListener | undefined

  constructor(reactor: SimReactor) {
    this.#reactor = reactor
  }

  tell(listener: InputListener | OutputListener): void {
    this.#listener = listener
  }

  start(): void {}
  stop(): void {}

  send(): boolean {
    return true
  }

  finish(): void {
    const listener = this.#listener
    if (listener !== undefined && 'finished' in listener) this.#reactor.inLaterEvent(() => listener.finished())
  }

  close(): void {
    this.#reactor.inLaterEvent(() => this.#listener?.closed())
  }
}
