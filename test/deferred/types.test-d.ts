/** What the compiler promises about Deferreds: this file is checked by tsc and never run. */
import { from, type Observable } from 'rxjs'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError, TimeoutError } from '../../src/framework/deferred/errors.ts'
import type { Failure } from '../../src/framework/deferred/failure.ts'
import { deferredList, gatherResults, race, type Settled, type Winner } from '../../src/framework/deferred/gathering.ts'
import { inlineCallbacks } from '../../src/framework/deferred/inline-callbacks.ts'
import { DeferredLock } from '../../src/framework/deferred/locks.ts'
import { deferredFromSignal, fromPromise } from '../../src/framework/deferred/promises.ts'
import { execute, fail, maybeDeferred, succeed } from '../../src/framework/deferred/wrapping.ts'

/** True when A and B are the same type, not merely assignable. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false

/** `is<Expected>()(value)`: compiles only if value's type is exactly Expected. */
const is =
  <Expected>() =>
  <Actual>(_value: Actual, ..._same: Same<Actual, Expected> extends true ? [] : [expected: Expected]): void => {}

declare const n: Deferred<number>
declare const s: Deferred<string>
declare const maybe: boolean

// A callback's return is the next type: a value, a Deferred, a promise, a conditional mixture.
is<Deferred<string>>()(n.addCallback((v) => String(v)))
is<Deferred<string>>()(n.addCallback(() => s))
is<Deferred<string>>()(n.addCallback(async () => 'poem'))
is<Deferred<void>>()(n.addCallback(() => {}))
is<Deferred<string | boolean>>()(n.addCallback((v) => (v > 1 ? String(v) : v > 0)))
is<Deferred<string | number>>()(n.addCallback((v) => (maybe ? s : v)))
is<Deferred<string>>()(n.addCallback((v) => (maybe ? s : String(v))))
is<Deferred<never>>()(
  n.addCallback(() => {
    throw new Error('boom')
  }),
)

// The first reference keeps its type; the last one has the new one.
n.addCallback((v) => {
  is<number>()(v)
  return String(v)
}).addCallback((v) => is<string>()(v))

// An errback adds to the union what it recovers with, and a Failure that it passes on adds nothing.
is<Deferred<string | number>>()(n.addErrback(() => 'default'))
is<Deferred<number>>()(n.addErrback((failure) => failure))
is<Deferred<number | undefined>>()(n.addErrback((failure) => (maybe ? failure : undefined)))
is<Deferred<string | number>>()(n.addErrback(async () => 'default'))
is<Deferred<string | number>>()(n.addErrback(() => s))
is<Deferred<number>>()(
  n.addErrback((failure) => {
    throw failure.value
  }),
)

// The fork and the both.
is<Deferred<string | boolean>>()(
  n.addCallbacks(
    (v) => String(v),
    () => false,
  ),
)
is<Deferred<string>>()(
  n.addCallbacks(
    () => s,
    (failure) => failure,
  ),
)
is<Deferred<number>>()(
  n.addBoth((result) => {
    is<number | Failure>()(result)
    return result
  }),
)
is<Deferred<string>>()(n.addBoth(() => s))

// Covariant: a Deferred of a narrower type goes where a wider one is asked for, and not the other way round.
const wider: Deferred<number | string> = n
const unknown: Deferred<unknown> = n
is<Deferred<number | string>>()(wider)
is<Deferred<unknown>>()(unknown)
// @ts-expect-error: a string is no number
const narrower: Deferred<number> = wider
void narrower

// Generic code keeps its parameter.
function twice<T>(d: Deferred<T>): Deferred<[T, T]> {
  return d.addCallback((v): [T, T] => [v, v])
}
is<Deferred<[number, number]>>()(twice(n))
function wrapped<T>(value: T): Deferred<T> {
  return succeed(value)
}
is<Deferred<string>>()(wrapped<string>('poem'))

// Firing.
n.callback(1)
n.callback({} as Failure)
new Deferred<void>().callback()
n.errback('anything')
// @ts-expect-error: the value must be of the Deferred's type
n.callback('one')
// @ts-expect-error: a value is needed
n.callback()
new Deferred<string>((d) => d.callback('half a poem')).cancel('bored')

// await, then, promises.
async function awaited(): Promise<void> {
  is<number>()(await n)
  is<string>()(await n.then((v) => String(v)))
  is<number>()(await n.toPromise())
  is<number | boolean>()(await n.then(undefined, () => false))
  const like: PromiseLike<number> = n
  is<number>()(await like)
  is<[number, string]>()(await Promise.all([n, s]))
}
void awaited
is<Deferred<number>>()(Deferred.fromPromise(Promise.resolve(1)))
is<Deferred<string>>()(fromPromise(async (signal) => String(signal.aborted)))
is<Deferred<number>>()(fromPromise(Promise.resolve(Promise.resolve(1))))
is<Deferred<never>>()(deferredFromSignal(AbortSignal.abort()))
is<Deferred<number>>()(n.addSignal(AbortSignal.abort()))

// yield*, in inlineCallbacks.
const download = inlineCallbacks(function* (host: string, port = 10000) {
  const count = yield* n
  is<number>()(count)
  const [a, b] = yield* gatherResults([n, s])
  is<number>()(a)
  is<string>()(b)
  is<boolean>()(yield* fromPromise(Promise.resolve(true)))
  return `${host}:${port} ${count}`
})
is<(host: string, port?: number) => Deferred<string>>()((host: string, port?: number): Deferred<string> =>
  download(host, port),
)
is<Deferred<string>>()(download('localhost'))
is<Deferred<number>>()(
  inlineCallbacks(function* () {
    yield* s
    return n
  })(),
)
// @ts-expect-error: an argument is missing
download()
inlineCallbacks(
  // @ts-expect-error: yield without the star has no type, so it is not taken
  function* () {
    yield n
  },
)

// Gatherings keep the types of tuples, and of lists.
declare const list: Deferred<number>[]
is<Deferred<[number, string]>>()(gatherResults([n, s]))
is<Deferred<number[]>>()(gatherResults(list))
is<Deferred<[Settled<number>, Settled<string>]>>()(deferredList([n, s]))
is<Deferred<Settled<number>[]>>()(deferredList(list, { consumeErrors: false }))
is<Deferred<Winner<number | string> | [Settled<number>, Settled<string>]>>()(
  deferredList([n, s], { fireOnOneCallback: true }),
)
is<Deferred<Winner<number | string>>>()(race([n, s]))
is<Deferred<Winner<number>>>()(race(list))

// Wrapping.
is<Deferred<number>>()(succeed(1 as number))
is<Deferred<void>>()(succeed())
is<Deferred<never>>()(fail('boom'))
is<Deferred<number>>()(execute(() => n))
is<Deferred<number>>()(maybeDeferred(() => (maybe ? n : 1)))
is<Deferred<string>>()(maybeDeferred(async () => 'poem'))
is<Deferred<string>>()(new DeferredLock().run(() => s))
is<Deferred<DeferredLock>>()(new DeferredLock().acquire())

// Timeouts.
declare const clock: { callLater(ms: number, f: () => unknown): { cancel(): void; active(): boolean; extra: 1 } }
is<Deferred<number>>()(n.addTimeout(1000, clock))
is<Deferred<number | string>>()(n.addTimeout(1000, clock, () => 'default'))

// Failures.
declare const failure: Failure
is<typeof CancelledError | typeof TimeoutError | undefined>()(failure.check(CancelledError, TimeoutError))
is<typeof CancelledError>()(failure.trap(CancelledError))

// RxJS.
is<Observable<number>>()(from(n))
