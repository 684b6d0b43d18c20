/** Servers that come and go on one port, while clients never cease to ask. */
import type { Socket } from 'node:net'
import { expect } from 'vitest'
import { askOnce, type Generation, type HeldSocket } from './generations.ts'

/** Clients that ask, each one question after the other and each question on a connection of its own, until the end. */
export class Load {
  /** Answers that came whole, by who gave them: the first word of an answer; its last one is the question. */
  readonly answers = new Map<string, number>()
  /** What the other clients got. */
  readonly dropped: unknown[] = []
  readonly #clients: Promise<void>[]
  #over = false
  #waiting: { readonly name: string; readonly enough: number; readonly resolve: () => void }[] = []

  constructor(dial: () => Socket, clients = 20) {
    this.#clients = Array.from({ length: clients }, (_, number) => this.#client(dial, number))
  }

  /** Waits until `name` has given so many answers. */
  answered(name: string, enough: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ name, enough, resolve })
      this.#look()
    })
  }

  /** No more questions. Waits for the answers to the last ones. */
  async end(): Promise<void> {
    this.#over = true
    await Promise.all(this.#clients)
  }

  async #client(dial: () => Socket, number: number): Promise<void> {
    for (let question = 0; !this.#over; question++) {
      const line = `${number}.${question}`
      try {
        const [, name, heard] = /^(\S+) (?:.* )?(\S+)\r\n$/.exec(await askOnce(dial(), line)) ?? []
        if (name !== undefined && heard === line) this.answers.set(name, (this.answers.get(name) ?? 0) + 1)
        else this.dropped.push(line)
      } catch (error) {
        this.dropped.push(error)
      }
      this.#look()
    }
  }

  #look(): void {
    const has = ({ name, enough }: { name: string; enough: number }): boolean => (this.answers.get(name) ?? 0) >= enough
    for (const { resolve } of this.#waiting.filter(has)) resolve()
    this.#waiting = this.#waiting.filter((each) => !has(each))
  }
}

/**
 * Starts one server after the other; each takes over from the one before, which drains and ends, once it has given
 * `enough` answers itself.
 *
 * @param start starts the server of this name
 */
export async function rollingRestart(
  held: HeldSocket,
  names: readonly string[],
  enough: number,
  start: (name: string) => Promise<Generation>,
): Promise<Load> {
  let load: Load | undefined
  let current: Generation | undefined
  for (const name of names) {
    const next = await start(name)
    load ??= new Load(() => held.dial())
    await load.answered(name, enough)
    if (current !== undefined) {
      expect(await current.ask('stop')).toBe('stopped')
      expect(await current.end()).toBe(0)
    }
    current = next
  }
  await load!.end()
  return load!
}
