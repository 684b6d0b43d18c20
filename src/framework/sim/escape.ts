/**
 * While a simulated world runs, nothing in it may ask the real one for the time, for chance or for a timer: it would be
 * another world the next time. Whoever does is told so, there and then.
 *
 * No ancestor; the idea of putting something else in their place is that of fake timers. What cannot be reached from
 * here is not guarded: `node:` modules that were imported.
 */

/** The program asked the real world for something that a simulated one has to decide. */
export class SimEscape extends Error {
  static {
    this.prototype.name = 'SimEscape'
  }
  readonly code: string = 'ERR_SIM_ESCAPE'

  constructor(what: string, instead: string) {
    super(`${what} was called in a simulated world, which would not be the same the next time (use ${instead})`)
  }
}

/** Object, property, and what to use instead. */
const forbidden: readonly [object: string, property: string, instead: string][] = [
  ['Date', 'now', 'reactor.now(), or reactor.wallTime() for the date'],
  ['performance', 'now', 'reactor.now()'],
  ['Math', 'random', 'reactor.random()'],
  ['crypto', 'getRandomValues', 'reactor.random()'],
  ['crypto', 'randomUUID', 'reactor.random()'],
  ['', 'setTimeout', 'reactor.callLater(ms, f)'],
  ['', 'setInterval', 'a LoopingCall with the reactor as its clock'],
  ['', 'setImmediate', 'reactor.callLater(0, f)'],
]

/** Who prints may look at the clock, as test runners do: what is printed decides nothing. */
const speech = ['debug', 'error', 'info', 'log', 'trace', 'warn']

type Property = [owner: object, name: string]

const watching = new Set<(escape: SimEscape) => void>()
let restore: () => void = () => {}

/**
 * From now on escapes are thrown where they happen, and told to `escaped`, because a guard may catch what is thrown.
 *
 * @returns a function that ends it; when the last has ended, everything is as it was
 */
export function forbidEscapes(escaped: (escape: SimEscape) => void): () => void {
  if (watching.size === 0) restore = install()
  watching.add(escaped)
  return () => {
    if (watching.delete(escaped) && watching.size === 0) restore()
  }
}

/** How many calls that print are under way. */
let speaking = 0

function escape(what: string, instead: string): never {
  const error = new SimEscape(what, instead)
  for (const escaped of watching) escaped(error)
  throw error
}

function install(): () => void {
  const real = globalThis as unknown as Record<string, object | undefined>
  const undo: (() => void)[] = []
  for (const [object, property, instead] of forbidden) {
    const owner = object === '' ? real : real[object]
    if (owner === undefined || !(property in owner)) continue
    const what = `${object === '' ? '' : `${object}.`}${property}()`
    const call: unknown = Reflect.get(owner, property)
    if (typeof call !== 'function') continue
    undo.push(
      replace([owner, property], function (this: unknown, ...given: unknown[]): unknown {
        return speaking > 0 ? Reflect.apply(call, this, given) : escape(what, instead)
      }),
    )
  }
  const { console } = real
  for (const method of console === undefined ? [] : speech) {
    const print: unknown = Reflect.get(console!, method)
    if (typeof print === 'function')
      undo.push(replace([console!, method], letSpeak(print as (...given: unknown[]) => unknown)))
  }
  const RealDate = real['Date'] as DateConstructor | undefined
  if (RealDate !== undefined) {
    const now = 'new Date(reactor.wallTime())'
    // Only what asks for the present moment is refused: other dates, and classes derived from Date, go on.
    const guarded: DateConstructor = new Proxy(RealDate, {
      apply: () => (speaking > 0 ? RealDate() : escape('Date()', now)),
      construct(target, parameters: unknown[], newTarget): object {
        if (parameters.length === 0 && speaking === 0) escape('new Date()', now)
        return Reflect.construct(target, parameters, newTarget === guarded ? target : newTarget) as object
      },
    })
    undo.push(replace([real, 'Date'], guarded))
  }
  return () => undo.reverse().forEach((one) => one())
}

function letSpeak(print: (...given: unknown[]) => unknown): (this: unknown, ...given: unknown[]) => unknown {
  return function (...given) {
    speaking++
    try {
      return Reflect.apply(print, this, given)
    } finally {
      speaking--
    }
  }
}

function replace([owner, name]: Property, value: unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, name)
  Object.defineProperty(owner, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: own?.enumerable ?? false,
  })
  return () => {
    if (own === undefined) Reflect.deleteProperty(owner, name)
    else Object.defineProperty(owner, name, own)
  }
}
