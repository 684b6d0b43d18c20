/**
 * Says how far each poem is: on a terminal as lines that change in place, in a pipe as one plain line for each event.
 *
 * No ancestor; krondo's clients print the same facts.
 */
import type { Clock, DelayedCall } from 'couplet'
import { measured } from '../../duration.ts'
import { printable } from '../../printable.ts'
import { type Output, widthOf } from './world.ts'

/** Told what happens to each poem, by its place in the order asked for. */
export interface Progress {
  started(index: number): void
  received(index: number, bytes: number): void
  finished(index: number): void
  failed(index: number): void
  /** Says one line for good, whatever else is on the screen. */
  say(line: string): void
  /** Nothing more will happen. */
  close(): void
}

/** Milliseconds between two pictures. */
const frame = 100
/** So many poems get a line each; with more, one line counts all. */
const mostLines = 10

/** The one that suits the output. */
export function progressOn(output: Output, clock: Clock, names: readonly string[]): Progress {
  return output.isTTY === true ? new LiveProgress(output, clock, names) : new PlainProgress(output, clock, names)
}

/** What is known about one poem. */
class Task {
  readonly name: string
  state: 'waiting' | 'running' | 'whole' | 'failed' = 'waiting'
  pieces = 0
  bytes = 0
  start = 0
  end: number | undefined

  constructor(name: string) {
    this.name = printable(name)
  }

  took(now: number): string {
    return measured((this.end ?? now) - this.start)
  }
}

abstract class TaskProgress implements Progress {
  protected readonly output: Output
  protected readonly clock: Clock
  protected readonly tasks: readonly Task[]

  constructor(output: Output, clock: Clock, names: readonly string[]) {
    this.output = output
    this.clock = clock
    this.tasks = names.map((name) => new Task(name))
  }

  started(index: number): void {
    const task = this.#at(index)
    task.state = 'running'
    task.start = this.clock.now()
  }

  received(index: number, bytes: number): void {
    const task = this.#at(index)
    task.pieces++
    task.bytes += bytes
    this.changed(index, task, bytes)
  }

  finished(index: number): void {
    this.#end(index, 'whole')
  }

  failed(index: number): void {
    this.#end(index, 'failed')
  }

  abstract say(line: string): void
  abstract close(): void
  /** A piece arrived, or, with 0 bytes, the poem is over. */
  protected abstract changed(index: number, task: Task, bytes: number): void

  #end(index: number, state: 'whole' | 'failed'): void {
    const task = this.#at(index)
    task.state = state
    task.end = this.clock.now()
    this.changed(index, task, 0)
  }

  #at(index: number): Task {
    const task = this.tasks[index]
    if (task === undefined) throw new RangeError(`there is no poem ${index}`)
    return task
  }
}

class PlainProgress extends TaskProgress {
  say(line: string): void {
    this.output.write(`${line}\n`)
  }

  close(): void {}

  protected changed(index: number, task: Task, bytes: number): void {
    const who = `task ${index + 1}`
    if (bytes > 0) this.say(`${who}: got ${bytes} bytes from ${task.name}`)
    else if (task.state === 'whole') {
      this.say(`${who}: finished, ${task.bytes} bytes from ${task.name} in ${task.took(this.clock.now())}`)
    }
  }
}

class LiveProgress extends TaskProgress {
  #next: DelayedCall | undefined
  #shown = 0

  override started(index: number): void {
    super.started(index)
    this.#draw()
  }

  say(line: string): void {
    this.#erase()
    this.output.write(`${line}\n`)
    this.#draw()
  }

  close(): void {
    this.#draw()
    this.#next?.[Symbol.dispose]()
    this.#shown = 0
  }

  protected changed(): void {
    // The next frame shows it.
  }

  #draw(): void {
    this.#erase()
    this.#next?.[Symbol.dispose]()
    this.#next = this.clock.callLater(frame, () => this.#draw())
    // One column is left free: a terminal that wraps would add a line that we do not count.
    const width = widthOf(this.output) - 1
    const lines = this.#picture().map((line) => Array.from(line).slice(0, width).join(''))
    this.#shown = lines.length
    this.output.write(lines.map((line) => `${line}\n`).join(''))
  }

  #erase(): void {
    if (this.#shown > 0) this.output.write(`\x1b[${this.#shown}A\x1b[J`)
    this.#shown = 0
  }

  #picture(): string[] {
    const now = this.clock.now()
    if (this.tasks.length > mostLines) return [this.#sum()]
    const width = Math.max(...this.tasks.map(({ name }) => name.length))
    return this.tasks.map((task) => {
      const name = task.name.padEnd(width)
      if (task.state === 'waiting') return `  ${name}`
      const sign = { running: '…', whole: '✓', failed: '✗' }[task.state]
      const bytes = `${task.bytes} bytes`.padStart(12)
      return `${sign} ${name} ${bytes} ${task.took(now).padStart(9)}  ${dots(task.pieces)}`
    })
  }

  #sum(): string {
    const ended = this.tasks.filter(({ end }) => end !== undefined).length
    const bytes = this.tasks.reduce((sum, task) => sum + task.bytes, 0)
    return `… ${ended} of ${this.tasks.length} poems, ${bytes} bytes`
  }
}

/** A dot for each piece that arrived; the last ones, if there are many. */
function dots(pieces: number): string {
  return pieces > 20 ? `…${'●'.repeat(19)}` : '●'.repeat(pieces)
}
