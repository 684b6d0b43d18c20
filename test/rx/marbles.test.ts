/**
 * What the bridge does, drawn: each character is a millisecond, on the TestScheduler's clock and ours alike.
 */
import {
  type ClientEndpoint,
  type Clock,
  ConnectionLost,
  Deferred,
  type DelayedCall,
  type Factory,
  type Protocol,
  TimerQueue,
  toText,
} from 'couplet'
import {
  bytes,
  connect,
  Conversation,
  fromDeferred,
  listen,
  lines,
  pacedMap,
  reactorScheduler,
  repeatWithBackoff,
  retryWithBackoff,
  textLines,
  writeAll,
} from 'couplet/rx'
import { StringTransport } from 'couplet/testing'
import { concatMap, delay, ignoreElements, map, merge, mergeMap, type Observable, of, timeout, timer } from 'rxjs'
import { type RunHelpers, TestScheduler } from 'rxjs/testing'
import { describe, expect, it } from 'vitest'

/** Runs `draw` in the TestScheduler's time, with a Clock of ours that keeps the same time. */
function drawn(draw: (helpers: RunHelpers, clock: Clock & { random(): number }) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run((helpers) => {
    const now = () => scheduler.now()
    const queue = new TimerQueue({ now } as Clock)
    const clock = {
      now,
      random: () => 0,
      callLater(ms: number, f: () => unknown): DelayedCall {
        const call = queue.add(ms, f)
        scheduler.schedule(() => {
          if (!call.active()) return
          queue.remove(call)
          call.run()
        }, ms)
        return call
      },
    }
    draw(helpers, clock)
  })
}

/** A connection whose peer says what the marbles say, a line for each, and closes or breaks where they end. */
function hears(source: Observable<string>): Conversation<Uint8Array, string | Uint8Array> {
  const conversation = new Conversation(lines())
  const transport = new StringTransport()
  transport.deliverTo(conversation.protocol)
  source.subscribe({
    next: (letter) => !transport.disconnecting && transport.receive(`${letter}\r\n`),
    error: () => transport.end(new ConnectionLost('broken')),
    complete: () => transport.end(),
  })
  return conversation
}

/** Each attempt gets the next of `attempts`. */
function reaching(...attempts: Observable<string>[]): ClientEndpoint {
  return {
    connect<P extends Protocol>(factory: Factory<P>) {
      const connected = new Deferred<P>()
      const transport = new StringTransport()
      const protocol = factory.buildProtocol(transport.peer)
      if (protocol === null) throw new Error('no protocol')
      attempts.shift()?.subscribe({
        next: (letter) => !transport.disconnecting && transport.receive(`${letter}\r\n`),
        error: () => transport.end(new ConnectionLost('broken')),
        complete: () => transport.end(),
      })
      transport.deliverTo(protocol)
      connected.callback(protocol)
      return connected
    },
  }
}

const broken = expect.any(ConnectionLost) as unknown

describe('a conversation', () => {
  it('is its messages and its end', () => {
    drawn(({ hot, expectObservable }) => {
      expectObservable(hears(hot('-a-(bc)-|')).pipe(map(toText))).toBe('-a-(bc)-|')
      expectObservable(hears(hot('-a-b-#')).pipe(map(toText))).toBe('-a-b-#', undefined, broken)
    })
  })

  it('waits for its first subscriber, and lasts as long as its last', () => {
    drawn(({ hot, expectObservable }) => {
      const text = hears(hot('abc------d-e-|')).pipe(map(toText))
      expectObservable(text, '---^------!').toBe('---(abc)-d')
    })
  })
})

describe('pacedMap', () => {
  it('works on one after another, and keeps the connection from saying more', () => {
    drawn(({ hot, expectObservable }, clock) => {
      const scheduler = reactorScheduler(clock)
      const work = (letter: string) => timer(3, scheduler).pipe(map(() => letter))
      const source = hears(hot('abcd|'))
      expectObservable(source.pipe(map(toText), pacedMap(work))).toBe('---a--b--c--(d|)')
    })
  })

  it('works on so many at a time, and gives what is done first', () => {
    drawn(({ cold, expectObservable }) => {
      const work: Record<string, string> = { a: '-----a|', b: '-b|', c: '-c|' }
      expectObservable(cold('abc|').pipe(pacedMap((letter) => cold(work[letter]!), 2))).toBe(
        '--b-ca-|'.replace('ca-', 'ca'),
      )
    })
  })

  it('fails with what its work fails with, and leaves the source', () => {
    drawn(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-b-c|')
      expectObservable(source.pipe(pacedMap((letter) => cold(letter === 'b' ? '#' : `${letter}|`)))).toBe('-a-#')
      expectSubscriptions(source.subscriptions).toBe('^--!')
    })
  })

  it('leaves the source and the work when it is left', () => {
    drawn(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a---')
      const inner = cold('-------x|')
      expectObservable(source.pipe(pacedMap(() => inner)), '^--!').toBe('----')
      expectSubscriptions(source.subscriptions).toBe('^--!')
      expectSubscriptions(inner.subscriptions).toBe('-^-!')
    })
  })

  it('fails with what its function throws', () => {
    drawn(({ cold, expectObservable }) => {
      const error = new Error('a bug')
      const throwing = (): Observable<string> => {
        throw error
      }
      expectObservable(cold('-a').pipe(pacedMap(throwing))).toBe('-#', undefined, error)
    })
  })

  it('stops a source that has everything at once', () => {
    const seen: number[] = []
    of(1, 2, 3)
      .pipe(
        pacedMap((value) => {
          seen.push(value)
          return value === 2
            ? timer(1, reactorScheduler({ now: () => 0, callLater: () => undefined as never }))
            : of(value)
        }),
      )
      .subscribe()
      .unsubscribe()
    expect(seen).toEqual([1, 2])
    expect(() => pacedMap(() => of(1), 0)).toThrow(RangeError)
  })
})

describe('trying again', () => {
  it('waits after an error, longer each time, and as at first after a value', () => {
    drawn(({ cold, hot, expectObservable }, clock) => {
      const connection = connect(reaching(cold('#'), cold('#'), cold('a-#'), cold('b|'), hot('')), lines())
      const faithful = connection.pipe(map(toText), retryWithBackoff(clock, { initialDelay: 2, jitter: 0 }))
      // 2, then 4; after the value, 2 again.
      expectObservable(faithful).toBe('------a---b|')
    })
  })

  it('waits after a clean end, too, if asked', () => {
    drawn(({ cold, expectObservable }, clock) => {
      const connection = connect(reaching(cold('a|'), cold('|'), cold('b|'), cold('#')), lines())
      const faithful = connection.pipe(map(toText), repeatWithBackoff(clock, { initialDelay: 2, jitter: 0 }))
      expectObservable(faithful).toBe('a------b--#', undefined, broken)
    })
  })
})

describe('text in lines', () => {
  it('comes with its last delimiter', () => {
    drawn(({ hot, expectObservable }) => {
      const encoder = new TextEncoder()
      const chunks = hot('-a-b-c|', { a: 'x', b: 'y\nz', c: '!' }).pipe(map((text) => encoder.encode(text)))
      expectObservable(chunks.pipe(textLines())).toBe('---p--(q|)', { p: 'xy', q: 'z!' })
    })
  })
})

describe('the reactor’s clock', () => {
  it('is the time of RxJS', () => {
    drawn(({ cold, expectObservable }, clock) => {
      const scheduler = reactorScheduler(clock)
      expectObservable(cold('a-b|').pipe(delay(2, scheduler))).toBe('--a-(b|)')
      expectObservable(cold('a----b').pipe(timeout({ each: 3, scheduler, with: () => of('x') }))).toBe('a--(x|)')
      expectObservable(
        cold('a|').pipe(concatMap(() => fromDeferred(new Deferred<string>().addTimeout(4, clock)))),
      ).toBe('----#', undefined, expect.objectContaining({ name: 'TimeoutError' }))
    })
  })
})

describe('a server and a writer', () => {
  it('emit connections, and write what the source has', () => {
    drawn(({ cold, hot, expectObservable, expectSubscriptions }) => {
      let factory: Factory | undefined
      const endpoint = {
        listen(given: Factory) {
          factory = given
          return new Deferred<never>()
        },
      }
      const transports: StringTransport[] = []
      const words = cold('-x-y|')
      const serving = listen(endpoint, bytes()).pipe(
        mergeMap((client) => {
          client.subscribe()
          return fromDeferred(writeAll(words, client)).pipe(map(() => 'done'))
        }),
      )
      const arrivals = hot('--c').pipe(
        map(() => {
          const transport = new StringTransport()
          transports.push(transport)
          transport.deliverTo(factory?.buildProtocol(transport.peer) as Protocol)
        }),
        ignoreElements(),
      )
      expectObservable(merge(serving, arrivals)).toBe('------d', { d: 'done' })
      expectSubscriptions(words.subscriptions).toBe('--^---!')
      hot('-------x').subscribe(() => expect(transports.map((transport) => transport.text())).toEqual(['xy']))
    })
  })
})
