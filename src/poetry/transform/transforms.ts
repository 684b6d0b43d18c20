/**
 * What can be done to a poem: functions from text to text, each by its name.
 *
 * Ancestor: `cummingsify` of krondo's `twisted-server-1/tranformedpoetry.py`, part 12.
 */

/** Makes one poem out of another, now or later. */
export type Transform = (poem: string) => string | PromiseLike<string>

/** The transforms that come with the program, by their names: small letters, digits and `-`. */
export const builtInTransforms: ReadonlyMap<string, Transform> = new Map<string, Transform>([
  ['cummingsify', (poem) => poem.toLowerCase()],
  ['shout', (poem) => poem.toUpperCase()],
  ['backwards', (poem) => eachLine(poem, (lines) => lines.reverse())],
  ['number', (poem) => eachLine(poem, numbered)],
  ['acrostic', (poem) => eachLine(poem, (lines) => [lines.map(firstLetter).join('')])],
])

function numbered(lines: string[]): string[] {
  const width = String(lines.length).length
  return lines.map((line, index) => `${String(index + 1).padStart(width)}  ${line}`)
}

function firstLetter(line: string): string {
  return Array.from(line.trimStart())[0] ?? ''
}

/** Works on the lines without their ends; whether the last one has an end stays as it was. */
function eachLine(poem: string, change: (lines: string[]) => string[]): string {
  const ended = poem.endsWith('\n')
  return change((ended ? poem.slice(0, -1) : poem).split('\n')).join('\n') + (ended ? '\n' : '')
}
