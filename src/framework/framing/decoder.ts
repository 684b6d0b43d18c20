/**
 * A decoder knows one wire format: it finds the next frame in the bytes that have arrived, and knows nothing else.
 *
 * No connection, no time, no state between calls; so any decoder can be tested, and used, on plain bytes. No ancestor;
 * h11 and hyper call it sans-io.
 */
import type { FrameBuffer } from './frame-buffer.ts'

/** One wire format: finds the next frame in the bytes that have arrived. */
export interface Decoder<F> {
  /** What the frames are called in a trace: `line`, `netstring`. */
  readonly type?: string

  /**
   * Takes the next frame from `input`.
   *
   * @returns the frame; or `undefined` if it is not whole yet, and then nothing was taken
   * @throws RemoteProtocolError if what is there cannot become a frame; it is not asked again after that
   */
  decode(input: FrameBuffer): F | undefined

  /** How many bytes the frame that has begun needs in all, if its header has said so already. */
  needed?(input: FrameBuffer): number | undefined
}
