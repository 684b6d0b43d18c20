/**
 * Bytes become lines of text, wherever the chunks were cut, in the middle of a character too.
 *
 * No ancestor. It decodes and splits a whole chunk at once, which for text is faster than a line at a time (measured in
 * bench/rx.ts).
 */
import { Observable, type OperatorFunction } from 'rxjs'
import { LineTooLong } from '../core/errors.ts'

/** How {@link textLines} cuts. */
export interface TextLineOptions {
  /** What ends a line: LF unless given. */
  readonly delimiter?: string
  /** How long a line may be, in UTF-16 units: 16,384 unless given. */
  readonly maxLength?: number
}

/**
 * Lines, without their delimiter; what comes after the last delimiter is a line too. What is not UTF-8 becomes U+FFFD.
 * It fails with LineTooLong. The lines of one chunk come one after the other, whatever is thrown or held meanwhile: to
 * be held back before the next line, use the receiver `lines` instead.
 *
 * @example connect(endpoint, bytes()).pipe(textLines()).subscribe(console.log)
 */
export function textLines({ delimiter = '\n', maxLength = 16_384 }: TextLineOptions = {}): OperatorFunction<
  Uint8Array,
  string
> {
  return (chunks) =>
    new Observable<string>((subscriber) => {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
      /** What has come of the line that has no end yet. */
      let rest = ''

      const read = (text: string): void => {
        // A delimiter of several characters may be cut; one of a single character is looked for in what is new only.
        const parts = (delimiter.length === 1 ? text : rest + text).split(delimiter)
        if (delimiter.length === 1) parts[0] = rest + parts[0]
        rest = parts.pop() ?? ''
        for (const line of parts) {
          if (subscriber.closed) return
          if (line.length > maxLength) return refuse(line)
          subscriber.next(line)
        }
        if (rest.length > maxLength) refuse(rest)
      }
      const refuse = (line: string): void => subscriber.error(new LineTooLong(line.length, maxLength))

      return chunks.subscribe({
        next: (chunk) => read(decoder.decode(chunk, { stream: true })),
        error: (error: unknown) => subscriber.error(error),
        complete() {
          read(decoder.decode())
          if (rest !== '') subscriber.next(rest)
          subscriber.complete()
        },
      })
    })
}
