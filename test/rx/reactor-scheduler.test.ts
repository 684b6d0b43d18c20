import { type Report, setReporter } from 'couplet'
import { reactorScheduler } from 'couplet/rx'
import { ManualClock } from 'couplet/testing'
import { Sim } from 'couplet/sim'
import {
  asyncScheduler,
  bufferTime,
  debounceTime,
  delay,
  interval,
  map,
  type MonoTypeOperatorFunction,
  type Observable,
  of,
  retry,
  type SchedulerLike,
  Subject,
  take,
  throttleTime,
  throwError,
  timeInterval,
  timeout,
  timer,
} from 'rxjs'
import { expect, it, onTestFinished, vi } from 'vitest'

function timed<T>(source: Observable<T>, clock: ManualClock): unknown[] {
  const log: unknown[] = []
  source.subscribe({
    next: (value) => log.push([clock.now(), value]),
    error: (error: Error) => log.push([clock.now(), error.name]),
    complete: () => log.push([clock.now(), 'complete']),
  })
  return log
}

/** The same letters at the same times for both schedulers. */
const typed: readonly [number, string][] = [
  [0, 'a'],
  [30, 'b'],
  [200, 'c'],
  [210, 'd'],
  [500, 'e'],
]

const operators: Record<string, (scheduler: SchedulerLike) => MonoTypeOperatorFunction<unknown>> = {
  delay: (scheduler) => delay(70, scheduler),
  debounceTime: (scheduler) => debounceTime(50, scheduler),
  throttleTime: (scheduler) => throttleTime(100, scheduler, { leading: true, trailing: true }),
  timeout: (scheduler) => timeout({ each: 250, scheduler }),
  bufferTime: (scheduler) => (source) => source.pipe(bufferTime(100, null, Infinity, scheduler)),
  timeInterval: (scheduler) => (source) =>
    source.pipe(
      timeInterval(scheduler),
      map(({ interval }) => interval),
    ),
}

it.each(Object.keys(operators))('%s does on a clock of ours what it does on that of RxJS', (name) => {
  const operator = operators[name]!

  const clock = new ManualClock()
  const ours = new Subject<unknown>()
  const ourLog = timed(ours.pipe(operator(reactorScheduler(clock))), clock)
  for (const [at, letter] of typed) clock.callLater(at, () => ours.next(letter))
  clock.callLater(600, () => ours.complete())
  clock.advance(1000)

  vi.useFakeTimers({ now: 0 })
  onTestFinished(() => void vi.useRealTimers())
  const theirs = new Subject<unknown>()
  const theirLog = timed(theirs.pipe(operator(asyncScheduler)), { now: () => Date.now() } as ManualClock)
  for (const [at, letter] of typed) setTimeout(() => theirs.next(letter), at)
  setTimeout(() => theirs.complete(), 600)
  vi.advanceTimersByTime(1000)

  expect(ourLog.length).toBeGreaterThan(2)
  expect(ourLog).toEqual(theirLog)
})

it('ticks in virtual time, and never before it is asked', () => {
  const clock = new ManualClock()
  const log = timed(interval(10, reactorScheduler(clock)).pipe(take(3)), clock)
  expect(log).toEqual([])
  clock.advance(1000)
  expect(log).toEqual([
    [10, 0],
    [20, 1],
    [30, 2],
    [30, 'complete'],
  ])
  expect(clock.pending()).toEqual([])
})

it('leaves no timer behind when it is unsubscribed from', () => {
  const clock = new ManualClock()
  const scheduler = reactorScheduler(clock)
  const subscriptions = [
    interval(10, scheduler).subscribe(),
    timer(10, 10, scheduler).subscribe(),
    of(1).pipe(delay(10, scheduler)).subscribe(),
    new Subject().pipe(timeout({ each: 10, scheduler })).subscribe(),
  ]
  expect(clock.pending().length).toBe(4)
  for (const subscription of subscriptions) subscription.unsubscribe()
  expect(clock.pending()).toEqual([])
})

it('lets work ask for itself again, and stop', () => {
  const clock = new ManualClock()
  const seen: unknown[] = []
  reactorScheduler(clock).schedule<number>(
    function (count) {
      seen.push([clock.now(), count])
      if (count !== undefined && count < 2) this.schedule(count + 1, 5)
      else this.unsubscribe()
    },
    1,
    0,
  )
  clock.advance(100)
  expect(seen).toEqual([
    [1, 0],
    [6, 1],
    [11, 2],
  ])
})

it('retries with a delay on the clock', () => {
  const clock = new ManualClock()
  const scheduler = reactorScheduler(clock)
  let tries = 0
  const failing = throwError(() => (tries++, new Error('no')))
  const log = timed(failing.pipe(retry({ count: 2, delay: () => timer(100, scheduler) })), clock)
  clock.advance(1000)
  expect([tries, log]).toEqual([3, [[200, 'Error']]])
})

it('reports what a subscriber throws in a call of its own time, and goes on', () => {
  const reports: Report[] = []
  onTestFinished(setReporter((report) => reports.push(report)))
  const clock = new ManualClock()
  const seen: number[] = []
  const error = new Error('a bug')
  interval(10, reactorScheduler(clock))
    .pipe(take(3))
    .subscribe((value) => {
      seen.push(value)
      if (value === 1) throw error
    })
  clock.advance(100)
  expect(seen).toEqual([0, 1, 2])
  expect(reports).toEqual([expect.objectContaining({ error })])
})

it('an hour of seconds takes no time in a simulated world', () => {
  const sim = new Sim()
  const { reactor } = sim.host('host')
  let ticks = 0
  interval(1000, reactorScheduler(reactor)).subscribe(() => ticks++)
  sim.advance(3_600_000)
  expect(ticks).toBe(3600)
})
