/** Servers that come and go behind one socket, while clients never cease to ask. */
import { expect } from 'vitest'
import { askOnce, type Generation, type HeldSocket } from './generations.ts'

/** How many clients ask at the same time. */
const clients = 20

/** What came of it. */
export interface RollingRestart {
  /** Answers that came whole, by the name of the server. */
  readonly answers: ReadonlyMap<string, number>
  /** What the other clients got. */
  readonly dropped: readonly unknown[]
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
): Promise<RollingRestart> {
  const answers = new Map<string, number>()
  const dropped: unknown[] = []
  let waiting: { name: string; resolve: () => void } | undefined
  const load = { over: false, clients: [] as Promise<void>[] }
  const count = (name: string): void => {
    answers.set(name, (answers.get(name) ?? 0) + 1)
    if (waiting?.name === name && (answers.get(name) ?? 0) >= enough) waiting.resolve()
  }
  const client = async (number: number): Promise<void> => {
    for (let question = 0; !load.over; question++) {
      const line = `${number}.${question}`
      try {
        const [, name, heard] = /^(\S+) (\S+)\r\n$/.exec(await askOnce(held.dial(), line)) ?? []
        if (name !== undefined && heard === line) count(name)
        else dropped.push(line)
      } catch (error) {
        dropped.push(error)
      }
    }
  }
  let current: Generation | undefined
  for (const name of names) {
    const next = await start(name)
    if (current === undefined) for (let number = 0; number < clients; number++) load.clients.push(client(number))
    const enoughAnswers = new Promise<void>((resolve) => (waiting = { name, resolve }))
    await enoughAnswers
    if (current !== undefined) {
      expect(await current.ask('stop')).toBe('stopped')
      expect(await current.end()).toBe(0)
    }
    current = next
  }
  load.over = true
  await Promise.all(load.clients)
  return { answers, dropped }
}
