/**
 * Plays a program of the ladder in a simulated world of one machine, and gives what it prints; takes no time.
 */
import type { Reactor } from 'couplet'
import { Sim } from 'couplet/sim'
import { vi } from 'vitest'

/** What a program calls `main`. */
export type Main = (reactor: Reactor, ...argv: string[]) => PromiseLike<unknown>

/** What is printed from now on, line by line, until it is closed. */
export class Printed {
  readonly lines: string[] = []
  #looking: (() => void)[] = []
  readonly #log = vi.spyOn(console, 'log').mockImplementation((text: unknown) => {
    this.lines.push(...String(text).split('\n'))
    for (const look of this.#looking.splice(0)) look()
  })

  /** Waits until the last line is one that `pattern` finds. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.lines.at(-1) ?? '')) {
      await new Promise<void>((resolve) => {
        this.#looking.push(resolve)
      })
    }
  }

  close(): void {
    this.#log.mockRestore()
  }
}

/** All that `main` prints. A program that goes on for ever is stopped after a minute, as by Ctrl-C. */
export async function played(main: Main, ...argv: string[]): Promise<string[]> {
  const sim = new Sim()
  const { reactor } = sim.host('here')
  sim.after(60_000, () => reactor.stop('Ctrl-C'))
  const printed = new Printed()
  try {
    await sim.runUntil(main(reactor, ...argv))
  } finally {
    printed.close()
  }
  return printed.lines
}
