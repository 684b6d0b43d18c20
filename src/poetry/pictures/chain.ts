/**
 * Draws a Deferred's chain: two rails, one for values and one for failures, its stages upon them, and the path that the
 * result took.
 *
 * Neutral and pure: events in, text out. Ancestor: the figures of krondo's parts 9 to 11 and of Twisted's "Deferred
 * Reference", here as recorded.
 */
import type { TraceEvent } from 'couplet'
import { measured } from '../duration.ts'
import { printable } from '../printable.ts'

type Rail = 'value' | 'failure'

/** The functions of one stage, by the rail that they stand on. */
type Stage = Readonly<Record<Rail, string | undefined>>

/** Something that happened to the chain. */
interface Step {
  readonly ms: number
  readonly note: string
  /** The stage that the result came to. */
  readonly stage?: number
  /** Which of its functions ran; none if the result passed it by. */
  readonly ran?: Rail | undefined
  /** Where the result is afterwards; nowhere while the chain waits. */
  readonly to: Rail | undefined
}

/** Columns of the two rails, and where notes begin. */
const columns: Readonly<Record<Rail, number>> = { value: 12, failure: 32 }
const notesAt = 46
const longestName = 16
const other = { value: 'failure', failure: 'value' } as const

/**
 * Draws the chain of one Deferred, as far as the record goes.
 *
 * @param deferred its short name in the record: `d3`
 * @param width in columns; notes are cut there
 * @returns lines without line ends; none if the record does not know it
 */
export function drawChain(events: readonly TraceEvent[], deferred: string, width = 80): readonly string[] {
  const stages = stagesOf(events, deferred)
  const steps = stepsOf(events, deferred)
  if (stages.size === 0 && steps.length === 0) return []
  const lines = [placed({ value: 'values', failure: 'failures' })]
  const add = (row: string, note: string): void => {
    const room = Math.max(10, width - notesAt)
    lines.push(`${row.padEnd(notesAt)}${note.length > room ? `${note.slice(0, room - 1)}…` : note}`.trimEnd())
  }
  let rail: Rail | undefined
  let last = steps[0]?.ms ?? 0
  const reached = new Set<number>()
  for (const { ms, note, stage: index, ran, to } of steps) {
    if (ms - last >= 1) add(placed(rails(undefined)), `… ${measured(ms - last)} later`)
    last = ms
    const stage = index === undefined ? undefined : stages.get(index)
    if (stage !== undefined) {
      reached.add(index ?? 0)
      lines.push(placed(rails(rail)))
      add(placed(stations(stage, rail, ran)), note)
      if (rail !== undefined && to === other[rail]) lines.push(bend(to))
    } else add(placed(to === undefined ? rails(rail) : { ...rails(to), [to]: '●' }), note)
    rail = to
  }
  for (const [index, stage] of stages) {
    if (reached.has(index)) continue
    lines.push(placed(rails(undefined)))
    add(placed(stations(stage, undefined, undefined)), 'not reached yet')
  }
  if (rail !== undefined) {
    lines.push(placed(rails(rail)))
    add(placed({ ...rails(rail), [rail]: '▼' }), `ends as a ${rail}`)
  }
  return lines
}

function stagesOf(events: readonly TraceEvent[], deferred: string): ReadonlyMap<number, Stage> {
  const stages = new Map<number, Stage>()
  const named = (name: unknown, index: number): string | undefined => {
    if (typeof name !== 'string') return undefined
    const text = name === '' ? `stage ${index + 1}` : printable(name)
    return text.length > longestName ? `${text.slice(0, longestName - 1)}…` : text
  }
  for (const { k, on, i, cb, eb } of events) {
    const index = Number(i)
    if (k === 'd.add' && on === deferred) stages.set(index, { value: named(cb, index), failure: named(eb, index) })
  }
  return stages
}

function stepsOf(events: readonly TraceEvent[], deferred: string): readonly Step[] {
  const ends = new Map(events.filter(({ k }) => k === 'end').map((event) => [event['of'], event]))
  const steps: Step[] = []
  let waitingFor: unknown
  for (const event of events) {
    if (event.on !== deferred) continue
    const { k, t, seq, i, side, ok, v } = event
    const ms = t / 1000
    if (k === 'd.fire')
      steps.push({ ms, to: railOf(ok), note: ok === true ? `fires with ${shown(v)}` : `fails: ${shown(v)}` })
    else if (k === 'd.run') {
      const end = ends.get(seq)
      const chain = end?.['chain']
      const ran: Rail = side === 'errback' ? 'failure' : 'value'
      const to = end === undefined || chain !== undefined ? undefined : railOf(end['ok'])
      const note = chain === undefined ? noteOf(event['in'], end) : `waits for ${shown(chain)}`
      steps.push({ ms, stage: Number(i), ran, to, note })
      waitingFor = end?.['chain']
    } else if (k === 'd.pass') {
      steps.push({ ms, stage: Number(i), to: side === 'errback' ? 'failure' : 'value', note: 'passed by' })
    } else if (k === 'd.wait' && event['inner'] !== waitingFor) {
      waitingFor = event['inner']
      steps.push({ ms, to: undefined, note: `waits for ${shown(waitingFor)}` })
    } else if (k === 'd.resume') {
      const from = waitingFor === undefined ? 'what it waited for' : shown(waitingFor)
      steps.push({ ms, to: railOf(ok), note: `${from} ${ok === true ? 'gave' : 'failed:'} ${shown(v)}` })
    } else if (k === 'd.cancel') steps.push({ ms, to: steps.at(-1)?.to, note: 'somebody cancels it' })
    else if (k === 'd.lost') steps.push({ ms, to: 'failure', note: 'nobody took the failure' })
  }
  return steps
}

/** What a stage made of what it was given. */
function noteOf(given: unknown, end: TraceEvent | undefined): string {
  if (end === undefined) return 'runs now'
  if (end['ok'] === true && end['v'] === given) return 'hands it on'
  return `${shown(given, 14)} → ${end['ok'] === true ? '' : 'fails: '}${shown(end['v'])}`
}

function railOf(ok: unknown): Rail {
  return ok === true ? 'value' : 'failure'
}

/** A value as the record previews it. A value that was not recorded, or is undefined, is nothing. */
function shown(value: unknown, longest = 80): string {
  const text = value === undefined ? 'nothing' : printable(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}

/** The two rails, and on which of them the result is. */
function rails(taken: Rail | undefined): Record<Rail, string> {
  return { value: taken === 'value' ? '│' : '┊', failure: taken === 'failure' ? '│' : '┊' }
}

/** A stage on the rails: the function that ran in brackets, one that did not in parentheses. */
function stations(stage: Stage, taken: Rail | undefined, ran: Rail | undefined): Record<Rail, string> {
  const station = (rail: Rail): string => {
    const name = stage[rail]
    if (name === undefined) return rails(taken)[rail]
    return rail === ran ? `[${name}]` : `(${name})`
  }
  return { value: station('value'), failure: station('failure') }
}

/** From one rail to the other. */
function bend(to: Rail): string {
  const line = '─'.repeat(columns.failure - columns.value - 1)
  return ' '.repeat(columns.value) + (to === 'failure' ? `╰${line}╮` : `╭${line}╯`)
}

/** Each text in the middle of its rail. */
function placed(texts: Readonly<Record<Rail, string>>): string {
  const start = (rail: Rail): number => columns[rail] - Math.floor(texts[rail].length / 2)
  const left = ' '.repeat(Math.max(0, start('value'))) + texts.value
  return left.padEnd(start('failure')) + texts.failure
}
