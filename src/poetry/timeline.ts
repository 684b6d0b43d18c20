/**
 * Draws when each poem's lines arrived, from the record of what happened: a bar for each connection, a mark for each
 * piece.
 *
 * Neutral and pure: events in, text out. No ancestor.
 */
import type { TraceEvent } from 'couplet'

/** One connection of a client, in milliseconds since the record began. */
export interface Bar {
  /** When the connection was made. */
  readonly from: number
  /** When it ended. */
  readonly to: number
  /** When bytes arrived. */
  readonly marks: readonly number[]
}

/**
 * Finds the clients' ends of the connections to `addresses`.
 *
 * @returns a bar for each address, of the last connection to it; `undefined` where there was none
 */
export function barsOf(events: readonly TraceEvent[], addresses: readonly string[]): readonly (Bar | undefined)[] {
  const open = new Map<string, { address: string; from: number; to: number; marks: number[] }>()
  const found = new Map<string, Bar>()
  for (const { k, t, on, ...fields } of events) {
    const ms = t / 1000
    const address = fields['remote']
    const connection = open.get(on)
    if (k === 'conn.made' && typeof address === 'string') open.set(on, { address, from: ms, to: ms, marks: [] })
    else if (connection === undefined) continue
    else if (k === 'bytes.recv') connection.marks.push(ms)
    else if (k === 'conn.lost') found.set(connection.address, { ...connection, to: ms })
  }
  return addresses.map((address) => found.get(address))
}

/**
 * A bar as text: silence as `─`, a mark as `●`, nothing before it.
 *
 * @param span the time that the whole width stands for, in milliseconds
 * @param width in columns
 */
export function drawBar(bar: Bar, span: number, width: number): string {
  const column = (ms: number): number => Math.max(0, Math.min(width, Math.round((ms / span) * width)))
  const from = Math.min(column(bar.from), width - 1)
  const cells = Array.from({ length: Math.max(1, column(bar.to) - from) }, () => '─')
  // What arrived at a moment is drawn in the column that ends with it: four lines in four seconds end the bar.
  for (const mark of bar.marks) cells[Math.max(0, Math.min(cells.length, column(mark) - from) - 1)] = '●'
  return ' '.repeat(from) + cells.join('')
}
