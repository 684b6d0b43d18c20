/**
 * What `get-poetry` shows in place of the poems if it is asked how it went: a timeline, sentences, the Deferreds' chains,
 * or the bare events.
 *
 * No ancestor.
 */
import type { TraceEvent } from 'couplet'
import { drawChain } from '../../pictures/chain.ts'
import { tell } from '../../pictures/prose.ts'
import { storyOf } from '../../pictures/story.ts'
import { drawTimeline } from '../../pictures/timeline.ts'
import { printable } from '../../printable.ts'
import { type CommandLine, UsageError } from './command.ts'
import { headerOf } from './recording.ts'
import { type Color, widthOf, type World } from './world.ts'

/** What can be shown, by the name of its option. */
const pictures = { timeline, log, chain, json } as const

/** One of the pictures. */
export type Picture = keyof typeof pictures

/** An option for each of them. */
export const pictureOptions = {
  timeline: { type: 'boolean' },
  log: { type: 'boolean' },
  chain: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** What `--help` says about them. */
export const pictureHelp = `\
  --timeline        in place of the poems, draw when each was waited for, and when it was read
  --log             in place of the poems, tell what happened
  --chain           in place of the poems, draw the Deferred of each: its stages and the path taken
  --json            in place of the poems, give all events, as lines of JSON`

/** The colors of poems, one after another. */
export const colors: readonly [Color, Color, Color] = ['cyan', 'magenta', 'yellow']

/** Which picture is wanted. @throws UsageError if it is more than one */
export function pictureIn({ options }: CommandLine): Picture | undefined {
  const wanted = (Object.keys(pictures) as Picture[]).filter((name) => options[name] === true)
  if (wanted.length > 1) throw new UsageError(`--${wanted.join(' and --')} exclude each other`)
  return wanted[0]
}

/** Draws it, from the record. */
export function drawn(picture: Picture, world: World): string {
  const { recording } = world
  if (recording === undefined) throw new Error('nothing was recorded')
  return pictures[picture](recording.recorder.events, world)
}

function timeline(events: readonly TraceEvent[], { paint, stdout }: World): string {
  const width = Math.max(60, Math.min(100, widthOf(stdout))) - 1
  const { axis, rows, more, atOnce, legend } = drawTimeline(storyOf(events), width - 2)
  const [first] = rows
  const margin = ' '.repeat(2 + (first?.name.length ?? 0) + 2)
  return [
    ...axis.map((line) => margin + line),
    ...rows.map(({ name, bar, result }, index) => {
      const color = colors[index % colors.length] ?? 'cyan'
      return `  ${paint(color, name)}  ${paint(color, bar)}  ${result}`.trimEnd()
    }),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    '',
    `  ${'at once'.padEnd(first?.name.length ?? 0)}  ${atOnce}`.trimEnd(),
    '',
    ...wrapped(legend, width),
    '',
  ].join('\n')
}

/** As many of them in a line as there is room for. */
function wrapped(texts: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const text of texts) {
    const longer = `${lines.at(-1) ?? ''}   ${text}`
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer
    else lines.push(text)
  }
  return lines
}

function log(events: readonly TraceEvent[]): string {
  return tell(storyOf(events))
    .map((line) => `${line}\n`)
    .join('')
}

function chain(events: readonly TraceEvent[], { paint, stdout }: World): string {
  return events
    .filter(({ k, what }) => k === 'mark' && what === 'asked')
    .map(({ on, label }) => {
      const lines = drawChain(events, on, Math.max(60, widthOf(stdout)) - 1)
      return `${paint('bold', `the poem from ${printable(String(label))}`)}\n\n${lines.join('\n')}\n`
    })
    .join('\n')
}

function json(events: readonly TraceEvent[], { reactor, recording }: World): string {
  const header = headerOf(recording?.title ?? '', reactor, recording?.recorder.dropped)
  return [header, ...events].map((event) => `${JSON.stringify(event)}\n`).join('')
}
