/**
 * What a command line sees of the world: a reactor and two places to write to. Tests hand in others.
 *
 * No ancestor.
 */
import { Deferred, type Reactor, type Recorder } from 'couplet'

/** Where text or bytes go: `process.stdout`, or a test's list. */
export interface Output {
  /** Whether a person sees it on a terminal. */
  readonly isTTY?: boolean | undefined
  /** How wide the terminal is. */
  readonly columns?: number | undefined
  /** `done` is called when the bytes are gone, or with the reason why they cannot go. */
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): unknown
}

/** How wide it is, in columns: 80 where nobody knows, which a terminal without a size says as 0. */
export function widthOf({ columns = 0 }: Output): number {
  return columns > 0 ? columns : 80
}

/** Everything that a command may touch, besides the files that it is given. */
export interface World {
  readonly reactor: Reactor
  /** For what was asked for. */
  readonly stdout: Output
  /** For what there is to say about it. */
  readonly stderr: Output
  /** Colors text for {@link stdout}, where colors are welcome there; otherwise returns it as it is. */
  readonly paint: (color: Color, text: string) => string
  /** The record of what happens, if one is made. */
  readonly recording?: { readonly title: string; readonly recorder: Recorder } | undefined
}

/** The colors that are used; names of `util.styleText`. */
export type Color = 'bold' | 'dim' | 'cyan' | 'magenta' | 'yellow' | 'green'

/** Writes all of `data`; fires when it is gone, so that a program that ends then loses nothing. */
export function written(output: Output, data: string | Uint8Array): Deferred<void> {
  const gone = new Deferred<void>()
  output.write(data, (error) => {
    if (error) gone.errback(error)
    else gone.callback()
  })
  return gone
}
