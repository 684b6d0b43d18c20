/**
 * A program that a recipe starts: it is there when it has said so, and what it says, we say.
 */
import { fileURLToPath } from 'node:url'
import { Deferred, type ProcessEnding, ProcessProtocol, toText } from 'couplet'
import type { NodeReactor } from 'couplet/node'

export class Started extends ProcessProtocol {
  readonly #pattern: RegExp
  readonly #found = new Deferred<string>()
  readonly #ended = new Deferred<ProcessEnding>()
  #text = ''

  /** @param pattern what it says when it is there; the first group is what we want to know of it */
  constructor(pattern: RegExp) {
    super()
    this.#pattern = pattern
  }

  override outReceived(chunk: Uint8Array) {
    process.stdout.write(chunk)
    this.#look(chunk)
  }

  override errReceived(chunk: Uint8Array) {
    process.stderr.write(chunk)
    this.#look(chunk)
  }

  override processEnded(ending: ProcessEnding) {
    // It has said why.
    if (!this.#found.called) this.#found.errback(Object.assign(new Error('', { cause: ending }), { exitCode: 1 }))
    this.#ended.callback(ending)
  }

  /** What the first group of the pattern has found. Fails if the program ends without having said so. */
  found() {
    return this.#found
  }

  ended() {
    return this.#ended
  }

  #look(chunk: Uint8Array) {
    if (this.#found.called) return
    this.#text += toText(chunk)
    const match = this.#pattern.exec(this.#text)
    if (match !== null) this.#found.callback(match[1] ?? '')
  }
}

/** Starts server.ts at this endpoint. Fires with where it listens. */
export async function startServer(reactor: NodeReactor, endpoint: string) {
  const server = new Started(/ listens on (\S+)\n/)
  const source = fileURLToPath(new URL('server.ts', import.meta.url))
  await reactor.spawnProcess(server, process.execPath, [...process.execArgv, source, endpoint])
  return await server.found()
}
