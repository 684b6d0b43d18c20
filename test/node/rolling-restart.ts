/** Servers that come and go on one port, while clients never cease to ask. */
import type { Socket } from 'node:net'
import { expect } from 'vitest'
import { askOnce, generation, type HeldSocket } from './generations.ts'

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

/** A server that runs. */
export interface Serving {
  /** The first word of its answers. */
  readonly name: string
  /** Lets it drain and end, and expects that it does so well. */
  stop(): Promise<void>
}

/**
 * Starts one server after the other; each takes over from the one before, which drains and ends, once it has given
 * `enough` answers itself.
 *
 * @param dial connects to whichever is there
 * @param starts starts one server each
 */
export async function rollingRestart(
  dial: () => Socket,
  starts: readonly (() => Promise<Serving>)[],
  enough: number,
): Promise<Load> {
  let load: Load | undefined
  let current: Serving | undefined
  for (const start of starts) {
    const next = await start()
    load ??= new Load(dial)
    await load.answered(next.name, enough)
    await current?.stop()
    current = next
  }
  await load!.end()
  await current?.stop()
  return load!
}

/** Such servers, which inherit a socket. */
export function generations(held: HeldSocket, names: readonly string[]): (() => Promise<Serving>)[] {
  return names.map((name) => async () => {
    const server = await generation(held.descriptor, 'systemd:domain=INET:index=0', name)
    return {
      name,
      stop: async () => {
        expect(await server.ask('stop')).toBe('stopped')
        expect(await server.end()).toBe(0)
      },
    }
  })
}
