/**
 * Draws what became of each poem: a row for each, time to the right, a mark for each piece that arrived.
 *
 * Neutral and pure: facts in, text out, without a color, in any width. No ancestor.
 */
import { measured } from '../duration.ts'
import { printable } from '../printable.ts'
import { endOf, type Story, type Task } from './story.ts'

/** How to draw. */
export interface BarOptions {
  /** The time that the whole width stands for, in milliseconds. */
  readonly span: number
  /** In columns. */
  readonly width: number
  /** Until when a poem is drawn that has not ended, in milliseconds. */
  readonly now: number
}

/** What each sign of a bar means, in the order of a legend. */
const signs = {
  '╌': 'connects',
  '─': 'waits for the poet',
  '●': 'something is read',
  '═': 'is transformed',
  '◆': 'comes back',
  '✗': 'fails',
} as const

/** One row of a timeline, still without color. */
export interface Row {
  readonly name: string
  /** {@link drawBar}, filled up to its full width. */
  readonly bar: string
  readonly result: string
}

/** A whole timeline, still without color. */
export interface Timeline {
  /** Two lines: numbers, and marks. */
  readonly axis: readonly [string, string]
  readonly rows: readonly Row[]
  /** How many poems are left out, because nobody reads so many rows. */
  readonly more: number
  /** How many poems were waited for at each moment, as a digit; `+` for ten or more. */
  readonly atOnce: string
  /** What the signs mean that occur, one by one. */
  readonly legend: readonly string[]
}

const mostRows = 40
const longestName = 24

/**
 * A poem as text: what became of it from when it was asked for until it ended; blank before that.
 *
 * What happened at a moment stands in the column that ends with it: four lines in four seconds end the bar.
 */
export function drawBar(task: Task, { span, width, now }: BarOptions): string {
  const column = (ms: number): number => Math.max(0, Math.min(width, Math.round((ms / span) * width)))
  const from = Math.min(column(task.asked.ms), width - 1)
  const end = Math.max(from + 1, column(endOf(task, now)))
  const until = (moment: { readonly ms: number } | undefined): number =>
    moment === undefined ? end : column(moment.ms)
  const cells: string[] = []
  for (let index = from; index < end; index++) {
    if (index < until(task.connected)) cells.push('╌')
    else cells.push(index < until(task.whole) ? '─' : '═')
  }
  const put = (sign: string, moment: { readonly ms: number } | undefined): void => {
    if (moment !== undefined) cells[Math.max(0, Math.min(cells.length, column(moment.ms) - from) - 1)] = sign
  }
  for (const piece of task.pieces) put('●', piece)
  put('◆', task.transformed)
  put('✗', task.failed)
  return ' '.repeat(from) + cells.join('')
}

/**
 * Draws all of them on one scale.
 *
 * @param width of the whole picture, in columns; 40 at least
 */
export function drawTimeline({ tasks, now }: Story, width: number): Timeline {
  const shown = tasks.slice(0, mostRows)
  const span = Math.max(1, ...tasks.map((task) => endOf(task, now)))
  const names = shown.map(({ name }) => shortened(printable(name), longestName))
  const results = aligned(shown.map((task) => resultOf(task, now)))
  const around = 6 + widest(['at once', ...names]) + widest(results)
  const bars = { span, now, width: Math.max(10, width - around) }
  const rows = shown.map((task, index) => ({
    name: (names[index] ?? '').padEnd(widest(['at once', ...names])),
    bar: drawBar(task, bars).padEnd(bars.width),
    result: results[index] ?? '',
  }))
  const drawn = rows.map(({ bar }) => bar).join('')
  return {
    axis: drawAxis(span, bars.width),
    rows,
    more: tasks.length - shown.length,
    atOnce: countAtOnce(tasks, bars),
    legend: Object.entries(signs)
      .filter(([sign]) => drawn.includes(sign))
      .map(([sign, meaning]) => `${sign} ${meaning}`),
  }
}

/** How long it took, how it ended, and how much of it came. */
function resultOf(task: Task, now: number): readonly string[] {
  const bytes = task.pieces.reduce((sum, piece) => sum + piece.bytes, 0)
  const ended = task.failed !== undefined ? '✗' : task.whole === undefined ? '…' : ' '
  return [measured(endOf(task, now) - task.asked.ms), ended, `${bytes} bytes`]
}

/** Each row as one text, with its cells in columns. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => widest(rows.map((row) => row[column] ?? '')))
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
}

/** A number every ten columns or so, in seconds, and a mark below it. */
function drawAxis(span: number, width: number): [string, string] {
  const step = niceStep((span / width) * 9)
  const numbers: string[] = Array.from({ length: width + 8 }, () => ' ')
  const marks: string[] = Array.from({ length: width }, () => '─')
  marks[width - 1] = '╴'
  for (let ms = 0; ms <= span; ms += step) {
    const column = Math.max(0, Math.round((ms / span) * width) - 1)
    marks[column] = ms === 0 ? '├' : column === width - 1 ? '┤' : '┼'
    const next = ms + step > span
    for (const [index, digit] of Array.from(`${seconds(ms, step)}${next ? ' s' : ''}`).entries())
      numbers[column + index] = digit
  }
  return [numbers.join('').trimEnd(), marks.join('')]
}

/** 1, 2 or 5 times a power of ten, `least` or a little more. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

function seconds(ms: number, step: number): string {
  return (ms / 1000).toFixed(Math.max(0, Math.ceil(3 - Math.log10(step) - 1e-9)))
}

function countAtOnce(tasks: readonly Task[], { span, width, now }: BarOptions): string {
  let counts = ''
  for (let column = 0; column < width; column++) {
    const middle = ((column + 0.5) / width) * span
    const count = tasks.filter((task) => task.asked.ms <= middle && endOf(task, now) >= middle).length
    counts += count === 0 ? ' ' : count > 9 ? '+' : count
  }
  return counts
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length))
}
