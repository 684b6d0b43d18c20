/**
 * Records what happens while a command runs: for the pictures that it draws, and, with `--trace FILE`, for a file.
 *
 * The file has one event in each line, as JSON, and a line about the record before them; it is written while things
 * happen, so that what led to a crash is in it. No ancestor; the form is that of IETF qlog's JSON sequences.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { type Reactor, Recorder, setTracer, type TraceEvent } from 'couplet'
import { printable } from '../../printable.ts'
import { exitCode } from './exit-codes.ts'

/** A command that only fills a file keeps this many events for itself; one that draws keeps the newest of many. */
const kept = { file: 1, pictures: 200_000 } as const

/** What the first line of a record says about it. */
export function headerOf(title: string, reactor: Reactor, dropped = 0): object {
  return { trace: 1, title: printable(title), start: new Date(reactor.wallTime()).toISOString(), detail: 2, dropped }
}

/** A record that is being made. */
export class Recording {
  readonly recorder: Recorder
  readonly #restore: () => void
  #file: number | undefined

  /**
   * Begins to listen.
   *
   * @param path of the file; none if only pictures are to be drawn
   * @throws TraceFileError if the file cannot be written
   */
  constructor(reactor: Reactor, title: string, path: string | undefined, pictures: boolean) {
    if (path !== undefined) {
      this.#file = opened(path)
      this.#write(headerOf(title, reactor))
    }
    this.recorder = new Recorder({
      now: () => reactor.now(),
      maxEvents: pictures ? kept.pictures : kept.file,
      wrote: (event) => this.#write(event),
    })
    this.#restore = setTracer(this.recorder)
  }

  /** Listens no more, and closes the file. */
  close(): void {
    this.#restore()
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #write(line: object | TraceEvent): void {
    if (this.#file === undefined) return
    try {
      writeSync(this.#file, `${JSON.stringify(line)}\n`)
    } catch {
      // A full disk is no reason to stop serving poems; a record that ends early says so by its end.
      closeSync(this.#file)
      this.#file = undefined
    }
  }
}

/** The file for a trace could not be made. */
class TraceFileError extends Error {
  static {
    this.prototype.name = 'TraceFileError'
  }
  readonly exitCode = exitCode.cannotCreate
}

function opened(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw new TraceFileError(`${path}: the trace cannot be written there: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
