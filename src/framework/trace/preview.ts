/**
 * Makes a value fit for a record: short, JSON-safe, taken now, because values change later.
 *
 * No ancestor in Twisted.
 */

/** Previews are cut at this many characters. */
const longest = 80

/** A value as a reader would write it: `"a line"`, `42`, `Error: boom`, `<512 bytes> "GET / …"`, `PoetryProtocol`. */
export function preview(value: unknown): unknown {
  try {
    if (typeof value === 'string') return quoted(value)
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    if (typeof value === 'boolean' || value === null || value === undefined) return value
    if (value instanceof Error) return cut(`${value.name}: ${value.message}`)
    if (value instanceof Uint8Array) return `<${value.length} bytes> ${quoted(latin1(value))}`
    if (Array.isArray(value)) return `Array(${value.length})`
    if (typeof value === 'object') return cut(value.constructor?.name ?? 'Object')
    if (typeof value === 'function') return cut(`function ${value.name}`)
    return typeof value === 'symbol' ? cut(value.toString()) : `${value as bigint}n`
  } catch {
    return typeof value
  }
}

/** The text itself, cut, with what could move a terminal's cursor escaped. */
export function cut(text: string): string {
  const short = text.length > longest ? `${text.slice(0, longest - 1)}…` : text
  return short.replace(/\p{Cc}/gu, (control) => `\\x${(control.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`)
}

function quoted(text: string): string {
  return cut(JSON.stringify(text.length > longest ? `${text.slice(0, longest)}…` : text))
}

function latin1(bytes: Uint8Array): string {
  return String.fromCodePoint(...bytes.subarray(0, longest))
}
