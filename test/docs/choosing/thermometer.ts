import { Deferred, LineReceiver, toText } from 'couplet'

/** Asked with a line, it answers with one. */
export class Thermometer extends LineReceiver {
  readonly #asked: Deferred<number>[] = []

  ask(): Deferred<number> {
    const answer = new Deferred<number>()
    this.#asked.push(answer)
    this.sendLine('how warm?')
    return answer
  }

  override lineReceived(line: Uint8Array) {
    this.#asked.shift()?.callback(Number(toText(line)))
  }
}
