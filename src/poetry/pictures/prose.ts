/**
 * Tells what happened as sentences, one for each thing, and one for each time in which nothing did.
 *
 * Neutral and pure: facts in, text out. No ancestor.
 */
import { measured } from '../duration.ts'
import { printable } from '../printable.ts'
import { endOf, type Moment, type Story, type Task } from './story.ts'

/** Milliseconds of silence that are worth a sentence. */
const silence = 50

interface Sentence extends Moment {
  readonly text: string
}

/** Tells it: one line for each sentence, without line ends. */
export function tell({ tasks, now }: Story): readonly string[] {
  const lines: string[] = []
  let last = 0
  for (const { ms, text } of tasks.flatMap(sentencesOf).sort((one, other) => one.seq - other.seq)) {
    if (ms - last >= silence) lines.push(...tellOfSilence(tasks, last, ms, now))
    lines.push(`${measured(ms).padStart(9)}  ${text}`)
    last = ms
  }
  return lines
}

function sentencesOf(task: Task): readonly Sentence[] {
  const { asked, connected, pieces, whole, transformed, failed } = task
  const name = printable(task.name)
  const said: Sentence[] = [{ ...asked, text: `asks ${name} for its poem` }]
  let sum = 0
  if (connected !== undefined) said.push({ ...connected, text: `is connected with ${name}` })
  for (const piece of pieces) {
    sum += piece.bytes
    const all = sum === piece.bytes ? '' : ` (${sum} by now)`
    said.push({ ...piece, text: `reads ${bytes(piece.bytes)} from ${name}${all}` })
  }
  if (whole !== undefined) said.push({ ...whole, text: `${name} hangs up: the poem is whole, ${bytes(sum)}` })
  if (transformed !== undefined) said.push({ ...transformed, text: `has the poem from ${name} back, transformed` })
  if (failed !== undefined) said.push({ ...failed, text: `gives up: ${printable(failed.why)}` })
  return said
}

/** For whom everybody waits while nothing happens: that is where the time goes. */
function tellOfSilence(tasks: readonly Task[], from: number, to: number, now: number): string[] {
  const awaited = tasks.filter((task) => task.asked.ms <= from && endOf(task, now) >= to).map(({ name }) => name)
  if (awaited.length === 0) return []
  const [first = ''] = awaited
  const whom = awaited.length === 1 ? printable(first) : `${awaited.length} poets at once`
  return [`${' '.repeat(11)}… ${measured(to - from)} of waiting for ${whom}`]
}

function bytes(count: number): string {
  return `${count} byte${count === 1 ? '' : 's'}`
}
