/**
 * The one place where errors go that nobody else can be told about: a failure that no errback took, a hook that threw.
 *
 * Ancestor: `twisted.python.log.err`. A report never stops a server; whoever wants it to, sets a reporter that does.
 */

/** One thing that went wrong without anybody to tell. */
export interface Report {
  /** The real error, as it was thrown. */
  readonly error: unknown
  /** What was going on, as the beginning of a sentence: `Unhandled failure in a Deferred`. */
  readonly what: string
  /** The object it happened to: a Deferred, a connection, a timer. */
  readonly subject: object | undefined
  /** Where the subject was made, as lines of a stack, if `setDebugging` was on. */
  readonly site?: string
}

/** Called once for each report, synchronously. What it throws goes to `console.error`. */
export type Reporter = (report: Report) => void

const toConsole: Reporter = ({ error, what, site }) => {
  if (site === undefined) console.error(`${what}:`, error)
  else console.error(`${what}:`, error, `\n  made\n${site}`)
}

let reporter = toConsole

/**
 * Lets `next` have all reports from now on, in place of `console.error`.
 *
 * @returns a function that puts the reporter before it back
 */
export function setReporter(next: Reporter): () => void {
  const before = reporter
  reporter = next
  return () => {
    reporter = before
  }
}

/** Reports one error. Never throws. */
export function report(one: Report): void {
  try {
    reporter(one)
  } catch (broken) {
    toConsole(one)
    toConsole({ error: broken, what: 'The reporter itself failed', subject: undefined })
  }
}
