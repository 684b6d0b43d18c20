/**
 * Times as people write and read them on a command line; inside, a time is always milliseconds.
 *
 * No ancestor.
 */

/**
 * Reads `1s`, `250ms`, or a plain number of seconds, `0.5`.
 *
 * @returns milliseconds, 0 or more; or `undefined` if the text is anything else
 */
export function parseDuration(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})(ms|s)?$/.exec(text) ?? []
  return number === undefined ? undefined : Number(number) * (unit === 'ms' ? 1 : 1000)
}

/** A time that was measured: `4.01 s`. */
export function measured(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

/** A time that somebody chose: `1 s`, `250 ms`. */
export function chosen(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`
}
