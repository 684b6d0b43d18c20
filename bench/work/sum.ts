/** The one call that all ways to call have in the benchmark: its declaration for AMP, and its lines of JSON. */
import { amp } from 'couplet'

export const Sum = amp.command('Sum', {
  arguments: { a: amp.Integer({ as: 'number' }), b: amp.Integer({ as: 'number' }) },
  response: { total: amp.Integer({ as: 'number' }) },
})

/** A question in JSON, and its answer; each is a line. */
export interface Question {
  readonly id: number
  readonly method: string
  readonly params: { readonly a: number; readonly b: number }
}
export interface Answer {
  readonly id: number
  readonly result: { readonly total: number }
}

/** Lines as they come, whatever the chunks: a careful splitter by hand. */
export function splitter(onLine: (line: string) => void, onEnd: () => void): (chunk: Buffer) => void {
  let rest: Buffer | undefined
  return (chunk) => {
    const all = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, start)) {
      onLine(all.toString('utf8', start, end))
      start = end + 1
    }
    rest = start < all.length ? all.subarray(start) : undefined
    onEnd()
  }
}
