/** A process protocol that writes down what it is told. */
import { type Hook, type ProcessEnding, ProcessProtocol, toText } from 'couplet'

/** Writes down what it is told, in order. */
export class Witness extends ProcessProtocol {
  /** The names of the hooks, each as often as it was called; output once for what came in a row. */
  readonly calls: string[] = []
  out = ''
  err = ''
  exited: ProcessEnding | undefined
  ended: ProcessEnding | undefined

  override connectionMade(): void {
    this.#note('connectionMade')
  }

  override outReceived(chunk: Uint8Array): Hook {
    if (this.calls.at(-1) !== 'outReceived') this.#note('outReceived')
    this.out += toText(chunk)
  }

  override errReceived(chunk: Uint8Array): void {
    if (this.calls.at(-1) !== 'errReceived') this.#note('errReceived')
    this.err += toText(chunk)
  }

  override inConnectionLost(): void {
    this.#note('inConnectionLost')
  }

  override outConnectionLost(): void {
    this.#note('outConnectionLost')
  }

  override errConnectionLost(): void {
    this.#note('errConnectionLost')
  }

  override processExited(reason: ProcessEnding): void {
    this.#note('processExited')
    this.exited = reason
  }

  override processEnded(reason: ProcessEnding): void {
    this.#note('processEnded')
    this.ended = reason
  }

  #note(call: string): void {
    if (this.ended !== undefined) throw new Error(`${call} after processEnded`)
    this.calls.push(call)
  }
}

/** Listens to nothing until it is told to. */
export class Patient extends Witness {
  override connectionMade(): void {
    super.connectionMade()
    this.transport.pauseProducing()
  }
}
