import {
  ConnectionRefusedError,
  Factory,
  LineReceiver,
  TCPClientEndpoint,
  TCPServerEndpoint,
  toText,
  Protocol,
  CannotListenError,
} from 'couplet'
import {
  bytes,
  connect,
  type ConnectionOptions,
  type Conversation,
  lines,
  listen,
  type ListenerOptions,
  OutboxOverflow,
  pacedMap,
  reactorScheduler,
  repeatWithBackoff,
  retryWithBackoff,
  writeAll,
} from 'couplet/rx'
import { Sim, type SimOptions } from 'couplet/sim'
import { failureResultOf, successResultOf } from 'couplet/testing'
import { map, merge, mergeMap, of, scan, share, Subject, take, tap, timer } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { heard } from './heard.ts'
import { reportsOfEachTest } from '../reports.ts'

const reports = reportsOfEachTest()

/** A server and a client, a millisecond apart. */
function world(options: SimOptions = {}) {
  const sim = new Sim({ latency: 1, ...options })
  const server = sim.host('server').reactor
  const client = sim.host('client').reactor
  return {
    sim,
    server,
    client,
    chat: (more: ConnectionOptions<Uint8Array, string | Uint8Array> = {}) =>
      connect(new TCPClientEndpoint(client, 'server', 8000), lines(), more),
    serve: (more: ListenerOptions = {}) => listen(new TCPServerEndpoint(server, 8000), lines(), more),
  }
}

/** Says every line back, and remembers. */
class Echo extends LineReceiver {
  readonly heard: string[] = []
  ended = ''
  override lineReceived(line: Uint8Array) {
    this.heard.push(toText(line))
    this.sendLine(line)
  }
  override connectionLost(reason: Error) {
    this.ended = reason.name
  }
}

function echoing({ sim, server }: ReturnType<typeof world>): Echo[] {
  const echoes: Echo[] = []
  server.listenTCP(
    8000,
    Factory.forProtocol(() => {
      const echo = new Echo()
      echoes.push(echo)
      return echo
    }),
  )
  sim.advance()
  return echoes
}

describe('a connection', () => {
  it('is made by the first subscription, shared by more, and closed by the last to leave', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat()
    const text = chat.pipe(map(toText))
    here.sim.advance(10)
    expect(echoes.length).toBe(0)
    const first = heard(text)
    const second = heard(text)
    chat.next('hello')
    here.sim.advance(10)
    expect([echoes.length, first.log, second.log]).toEqual([1, ['hello'], ['hello']])
    first.unsubscribe()
    chat.next('again')
    here.sim.advance(10)
    expect([first.log, second.log, echoes[0]?.ended]).toEqual([['hello'], ['hello', 'again'], ''])
    second.unsubscribe()
    here.sim.advance(10)
    expect([echoes.length, echoes[0]?.ended, chat.open]).toEqual([1, 'ConnectionDone', false])
  })

  it('keeps what is said before it is made, in order, and tells when it is', () => {
    const here = world()
    const echoes = echoing(here)
    const opened: Conversation<Uint8Array, string | Uint8Array>[] = []
    const chat = here.chat({
      opened: {
        next(conversation) {
          opened.push(conversation)
          conversation.send('login')
        },
      },
    })
    chat.next('one')
    heard(chat)
    chat.next('two')
    expect(opened).toEqual([])
    here.sim.advance(10)
    chat.next('three')
    here.sim.advance(10)
    expect(echoes[0]?.heard).toEqual(['login', 'one', 'two', 'three'])
    expect(String(opened[0]?.transport.peer)).toContain(':8000')
  })

  it('fails with the ConnectError when there is nobody', () => {
    const here = world()
    const { log } = heard(here.chat())
    here.sim.advance(10)
    expect(log).toEqual([expect.any(ConnectionRefusedError)])
    expect(here.sim.pending).toBe(0)
  })

  it('completes when the server closes, and the next subscription makes another', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat()
    const first = heard(chat)
    here.sim.advance(10)
    echoes[0]?.transport.loseConnection()
    here.sim.advance(10)
    expect(first.log).toEqual(['complete'])
    const second = heard(chat.pipe(map(toText)))
    chat.next('here again')
    here.sim.advance(10)
    expect([second.log, echoes.length]).toEqual([['here again'], 2])
  })

  it('lets go of an attempt when all have left before it is made', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat({ closing: { next: () => expect.unreachable('nothing to close') } })
    heard(chat).unsubscribe()
    here.sim.advance(60_000)
    expect([echoes.length, here.sim.pending]).toEqual([0, 0])
    const { log } = heard(chat.pipe(map(toText)))
    chat.next('now')
    here.sim.advance(10)
    expect(log).toEqual(['now'])
  })

  it('has time for a farewell', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat({ closing: { next: () => chat.next('bye') } })
    const { log, unsubscribe } = heard(chat)
    here.sim.advance(10)
    unsubscribe()
    chat.next('for the next one')
    here.sim.advance(10)
    expect([log, echoes[0]?.heard, echoes[0]?.ended]).toEqual([[], ['bye'], 'ConnectionDone'])
  })

  it('says farewell once, even if that closes it in its turn', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat({
      closing: {
        next() {
          chat.next('bye')
          chat.complete()
          throw new Error('a bug')
        },
      },
    })
    const { log } = heard(chat)
    here.sim.advance(10)
    chat.complete()
    here.sim.advance(10)
    expect([log, echoes[0]?.heard, reports.length]).toEqual([['complete'], ['bye'], 1])
  })

  it('completes its subscribers when we complete it', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat()
    const { log } = heard(chat)
    here.sim.advance(10)
    chat.next('last words')
    chat.complete()
    here.sim.advance(10)
    expect([log, echoes[0]?.heard]).toEqual([['complete'], ['last words']])
  })

  it('aborts when we give it an error', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat()
    const { log } = heard(chat)
    here.sim.advance(10)
    const cause = new Error('enough')
    chat.error(cause)
    here.sim.advance(10)
    expect([log, echoes[0]?.ended]).toEqual([
      [expect.objectContaining({ name: 'ConnectionAborted', cause })],
      'ConnectionLost',
    ])
  })

  it('does not keep more words than it may for a connection that nobody makes', () => {
    const here = world()
    const chat = here.chat({ maxWaiting: 2 })
    for (const word of ['one', 'two', 'three', 'four']) chat.next(word)
    const { log } = heard(chat)
    expect(log).toEqual([expect.any(OutboxOverflow)])
    const echoes = echoing(here)
    heard(chat)
    chat.next('five')
    here.sim.advance(10)
    expect(echoes[0]?.heard).toEqual(['five'])
  })

  it('ends an attempt when too many words wait for it', () => {
    const here = world()
    echoing(here)
    const chat = here.chat({ maxWaiting: 1 })
    const { log } = heard(chat)
    chat.next('one')
    chat.next('two')
    expect(log).toEqual([expect.any(OutboxOverflow)])
    here.sim.advance(60_000)
    expect(here.sim.pending).toBe(0)
  })

  it('is detached, if asked, and taken up again where it was', () => {
    const here = world()
    const echoes = echoing(here)
    const chat = here.chat({ onUnsubscribe: 'detach' })
    const { log } = heard(chat.pipe(map(toText), take(1)))
    for (const word of ['one', 'two', 'three']) chat.next(word)
    here.sim.advance(10)
    expect([log, chat.open]).toEqual([['one', 'complete'], true])
    const again = heard(chat.pipe(map(toText)))
    here.sim.advance(10)
    expect([again.log, echoes.length]).toEqual([['two', 'three'], 1])
  })

  it('may be paused before it is made', () => {
    const here = world()
    echoing(here)
    const chat = here.chat()
    const { log } = heard(chat.pipe(map(toText)))
    chat.pauseProducing()
    chat.next('one')
    here.sim.advance(100)
    expect(log).toEqual([])
    chat.resumeProducing()
    here.sim.advance(100)
    expect(log).toEqual(['one'])
  })
})

describe('conversations within a connection', () => {
  it('say hello and goodbye, and hear their own', () => {
    const here = world()
    const echoes = echoing(here)
    const hub = here.chat()
    const about = (topic: string) =>
      hub.multiplex(
        () => `join ${topic}`,
        () => `leave ${topic}`,
        (line) => toText(line).endsWith(topic),
      )
    const rain = heard(about('rain').pipe(map(toText)))
    here.sim.advance(10)
    const sun = heard(about('sun').pipe(map(toText)))
    hub.next('more rain')
    here.sim.advance(10)
    sun.unsubscribe()
    rain.unsubscribe()
    here.sim.advance(10)
    expect(rain.log).toEqual(['join rain', 'more rain'])
    expect(sun.log).toEqual(['join sun'])
    expect(echoes[0]?.heard).toEqual(['join rain', 'join sun', 'more rain', 'leave sun', 'leave rain'])
    expect(echoes[0]?.ended).toBe('ConnectionDone')
  })

  it('say hello once on each connection, and nothing to one that is gone', () => {
    const here = world()
    const hub = here.chat()
    const rain = hub.multiplex(
      () => 'join rain',
      () => 'leave rain',
      () => true,
    )
    const { log } = heard(rain.pipe(map(toText), retryWithBackoff(here.client, { initialDelay: 100, jitter: 0 })))
    here.sim.advance(50)
    const echoes = echoing(here)
    here.sim.advance(1000)
    expect(echoes.map((echo) => echo.heard)).toEqual([['join rain']])
    echoes[0]?.transport.abortConnection()
    here.sim.advance(1000)
    expect(echoes.map((echo) => echo.heard)).toEqual([['join rain'], ['join rain']])
    expect(log).toEqual(['join rain', 'join rain'])
  })
})

describe('trying again', () => {
  it('waits longer and longer, from the beginning after a success, on the reactor’s clock', () => {
    const here = world({ latency: 0 })
    const tries: number[] = []
    const chat = here.chat()
    const counted = of(0).pipe(
      tap(() => tries.push(here.sim.now)),
      mergeMap(() => chat),
    )
    const { log } = heard(
      counted.pipe(map(toText), retryWithBackoff(here.client, { initialDelay: 100, maxDelay: 400, jitter: 0 })),
    )
    here.sim.advance(1200)
    expect(tries).toEqual([0, 100, 300, 700, 1100])
    const echoes = echoing(here)
    chat.next('hello')
    here.sim.advance(400)
    expect([log, tries.at(-1)]).toEqual([['hello'], 1500])
    echoes[0]?.transport.abortConnection()
    here.sim.advance(100)
    expect(tries.at(-1)).toBe(1700)
  })

  it('gives up after so many in a row', () => {
    const here = world()
    const { log } = heard(here.chat().pipe(retryWithBackoff(here.client, { count: 3 })))
    here.sim.advance(600_000)
    expect(log).toEqual([expect.any(ConnectionRefusedError)])
    expect(here.sim.pending).toBe(0)
  })

  it('asks again a server that closes cleanly, at most so often in a row', () => {
    const here = world()
    const echoes: Protocol[] = []
    class Hasty extends Protocol {
      override connectionMade() {
        echoes.push(this)
        this.transport.loseConnection()
      }
    }
    here.server.listenTCP(
      8000,
      Factory.forProtocol(() => new Hasty()),
    )
    here.sim.advance()
    const { log } = heard(here.chat().pipe(repeatWithBackoff(here.client, { count: 3 })))
    here.sim.advance(600_000)
    expect([log, echoes.length]).toEqual([['complete'], 4])
  })

  it('leaves no timer when it is left while waiting', () => {
    const here = world()
    const { unsubscribe } = heard(here.chat().pipe(retryWithBackoff(here.client)))
    here.sim.advance(10)
    expect(here.sim.pending).toBeGreaterThan(0)
    unsubscribe()
    expect(here.sim.pending).toBe(0)
  })
})

describe('a server', () => {
  it('is an Observable of connections: here, one that answers', () => {
    const here = world()
    const ports: string[] = []
    const served = here
      .serve({ opened: { next: (port) => ports.push(String(port.host)) } })
      .pipe(mergeMap((client) => client.pipe(tap((line) => client.next(`you said ${toText(line)}`)))))
      .subscribe()
    here.sim.advance(10)
    expect(ports).toEqual([expect.stringContaining(':8000')])
    const chat = here.chat()
    const { log, unsubscribe } = heard(chat.pipe(map(toText)))
    chat.next('hello')
    here.sim.advance(10)
    expect(log).toEqual(['you said hello'])
    unsubscribe()
    served.unsubscribe()
    here.sim.advance(10)
    expect(here.sim.pending).toBe(0)
    const refused = heard(here.chat())
    here.sim.advance(10)
    expect(refused.log).toEqual([expect.any(ConnectionRefusedError)])
  })

  it('reads nothing from a connection before somebody subscribes to it', () => {
    const here = world()
    const clients: Conversation<Uint8Array, string | Uint8Array>[] = []
    here.serve().subscribe((client) => clients.push(client))
    here.sim.advance(10)
    const chat = here.chat()
    heard(chat)
    chat.next('early')
    here.sim.advance(1000)
    const { log } = heard(clients[0]!.pipe(map(toText)))
    here.sim.advance(10)
    expect(log).toEqual(['early'])
  })

  it('fails when it cannot listen', () => {
    const here = world()
    heard(here.serve())
    const { log } = heard(here.serve())
    here.sim.advance(10)
    expect(log).toEqual([expect.any(CannotListenError)])
  })

  it('closes the port even if it is left before it is open', () => {
    const here = world()
    heard(here.serve()).unsubscribe()
    here.sim.advance(10)
    const { log } = heard(here.serve())
    here.sim.advance(10)
    expect(log).toEqual([])
  })

  it('outlives a subscriber that throws at a connection, and at a message', () => {
    const here = world()
    let connections = 0
    here.serve().subscribe((client) => {
      if (++connections === 1) throw new Error('not you')
      client.pipe(map(toText)).subscribe({
        next(line) {
          if (line === 'bad') throw new Error('not that')
          client.next(line)
        },
        error() {},
      })
    })
    here.sim.advance(10)
    const ended = (word: string) => {
      const chat = here.chat()
      const { log } = heard(chat.pipe(map(toText)))
      chat.next(word)
      here.sim.advance(10)
      return log.map((each) => (each instanceof Error ? each.name : each))
    }
    expect([ended('first'), ended('good'), ended('bad'), ended('good')]).toEqual([
      ['ConnectionLost'],
      ['good'],
      ['ConnectionLost'],
      ['good'],
    ])
    expect(reports.map(({ error }) => (error as Error).message)).toEqual(['not you', 'not that'])
  })

  it('gives its connections time when it is left, if asked', () => {
    const here = world()
    const server = here.serve({ drain: 1000 }).pipe(share())
    const clients = heard(server.pipe(mergeMap((client) => client.pipe(map(toText)))))
    const holdingOn = heard(server.pipe(tap((client) => heard(client))))
    here.sim.advance(10)
    const chat = here.chat()
    const { log } = heard(chat)
    here.sim.advance(10)
    clients.unsubscribe()
    holdingOn.unsubscribe()
    here.sim.advance(2000)
    expect([log, here.sim.pending]).toEqual([['complete'], 0])
  })
})

describe('a subscriber a thousand times slower than the server', () => {
  const all = 5000
  const line = (number: number) => `line ${number} ${'.'.repeat(100)}`

  /** One line a second is worked on; the server would write all of them in no time. */
  function slowly(limit?: number) {
    const here = world()
    let asked = 0
    function* poem() {
      for (; asked < all; asked++) yield line(asked)
    }
    here
      .serve()
      .pipe(mergeMap((client) => (void writeAll(poem(), client).addCallback(() => client.complete()), client)))
      .subscribe()
    here.sim.advance(10)

    let session: Conversation<Uint8Array, string | Uint8Array> | undefined
    const opened = { next: (conversation: NonNullable<typeof session>) => void (session = conversation) }
    const scheduler = reactorScheduler(here.client)
    const worked: string[] = []
    let ended = ''
    here
      .chat({ opened, limit })
      .pipe(pacedMap((line) => timer(1000, scheduler).pipe(map(() => toText(line)))))
      .subscribe({ next: (line) => worked.push(line), complete: () => (ended = `at ${here.sim.now} ms`) })
    return { here, worked, asked: () => asked, outstanding: () => session?.outstanding ?? 0, ended: () => ended }
  }

  it('gets every line in order, while only so many are on their way at any time', () => {
    const { here, worked, asked, outstanding, ended } = slowly()
    let mostOutstanding = 0
    let mostOnTheWay = 0
    for (let second = 0; second < all + 10; second++) {
      here.sim.advance(1000)
      mostOutstanding = Math.max(mostOutstanding, outstanding())
      mostOnTheWay = Math.max(mostOnTheWay, asked() - worked.length)
    }
    expect(worked).toEqual(Array.from({ length: all }, (_, number) => line(number)))
    expect(ended()).toMatch(/^at 50\d{5} ms$/)
    expect(mostOutstanding).toBe(16)
    // What two kernels (64 KiB each), two chunks and the server's queue (64 KiB) hold; the poem is three times that.
    expect(mostOnTheWay * line(1000).length).toBeLessThan(5 * 64 * 1024)
    expect(asked()).toBe(all)
    expect(here.sim.pending).toBe(0)
  })

  it('has as many in hand as it allows', () => {
    const { here, outstanding } = slowly(3)
    let most = 0
    for (let second = 0; second < 10; second++) {
      here.sim.advance(1000)
      most = Math.max(most, outstanding())
    }
    expect(most).toBe(3)
  })
})

describe('writing an Observable to a connection', () => {
  function pair() {
    const here = world()
    const clients: Conversation<Uint8Array, string | Uint8Array>[] = []
    const served = here.serve().subscribe((client) => clients.push(client))
    here.sim.advance(10)
    const chat = here.chat()
    const reader = heard(chat.pipe(map(toText)))
    here.sim.advance(10)
    return { ...here, client: here.client, served, to: clients[0]!, chatting: chat, reader }
  }

  it('writes values as they come, and says when it is done', () => {
    const { to, sim, reader } = pair()
    const source = new Subject<string>()
    const done = writeAll(source, to)
    source.next('one')
    source.next('two')
    source.complete()
    expect(successResultOf(done)).toBe(undefined)
    sim.advance(10)
    expect(reader.log).toEqual(['one', 'two'])
  })

  it('fails with the source’s error, and leaves the connection', () => {
    const { to, sim, reader } = pair()
    const source = new Subject<string>()
    const done = writeAll(source, to)
    const error = new Error('no more')
    source.error(error)
    expect(failureResultOf(done).value).toBe(error)
    to.next('still here')
    sim.advance(10)
    expect(reader.log).toEqual(['still here'])
  })

  it('stops when it is cancelled, and may be followed by another', () => {
    const { to, sim, reader } = pair()
    const source = new Subject<string>()
    const done = writeAll(source, to)
    failureResultOf(writeAll(of('too many producers'), to))
    done.cancel()
    failureResultOf(done)
    expect(source.observed).toBe(false)
    expect(successResultOf(writeAll(['next'], to))).toBe(undefined)
    sim.advance(10)
    expect(reader.log).toEqual(['next'])
  })

  it('stops when the connection ends', () => {
    const { to, sim, reader, chatting } = pair()
    const source = new Subject<string>()
    const done = writeAll(source, to)
    heard(to)
    reader.unsubscribe()
    chatting.complete()
    to.transport.abortConnection()
    sim.advance(10)
    failureResultOf(done)
    expect(source.observed).toBe(false)
  })

  it('stops at a message that cannot be sent', () => {
    const { to } = pair()
    const source = new Subject<string>()
    const done = writeAll(source, to)
    source.next('two\r\nlines')
    expect(failureResultOf(done).value).toMatchObject({ name: 'LocalProtocolError' })
    expect([source.observed, to.open]).toEqual([false, true])
  })

  it('keeps only so many values of a source that nobody can hold back', () => {
    const { to, chatting } = pair()
    chatting.pauseProducing()
    const source = new Subject<string>()
    const done = writeAll(source, to, { maxWaiting: 10 })
    for (let count = 0; source.observed && count < 100_000; count++) source.next('x'.repeat(1000))
    expect(failureResultOf(done).value).toBeInstanceOf(OutboxOverflow)
    expect(to.transport.queued).toBeLessThan(70_000)
  })

  it('asks an async iterable for one value after another', async () => {
    const { to, sim, reader } = pair()
    let finished = false
    async function* source() {
      try {
        yield 'one'
        yield 'two'
        yield 'three'
      } finally {
        finished = true
      }
    }
    const done = writeAll(source(), to)
    await sim.runUntil(done)
    await sim.runFor(10)
    expect([reader.log, finished]).toEqual([['one', 'two', 'three'], true])
  })

  it('makes a proxy that is as slow as its reader', () => {
    const sim = new Sim({ latency: 1 })
    const [source, proxy, sink] = ['source', 'proxy', 'sink'].map((name) => sim.host(name).reactor) as never as [
      ReturnType<typeof world>['server'],
      ReturnType<typeof world>['server'],
      ReturnType<typeof world>['server'],
    ]
    const piece = 'x'.repeat(1000)
    const total = 2000
    let asked = 0
    function* poem() {
      for (; asked < total; asked++) yield piece
    }
    listen(new TCPServerEndpoint(source, 1), bytes()).subscribe((client) => {
      heard(client)
      writeAll(poem(), client).addCallback(() => client.complete())
    })
    listen(new TCPServerEndpoint(proxy, 2), bytes()).subscribe((client) => {
      heard(client)
      const upstream = connect(new TCPClientEndpoint(proxy, 'source', 1), bytes(), { limit: 1 })
      writeAll(upstream, client).addCallback(() => client.complete())
    })
    sim.advance(10)
    const reading = connect(new TCPClientEndpoint(sink, 'proxy', 2), bytes(), { onUnsubscribe: 'detach' })
    let received = 0
    let complete = false
    reading.subscribe({ next: (piece) => (received += piece.length), complete: () => (complete = true) })
    sim.advance(10)
    reading.pauseProducing()
    sim.advance(60_000)
    const stuck = asked
    expect(stuck * piece.length - received).toBeLessThan(9 * 64 * 1024)
    sim.advance(60_000)
    expect([asked, complete]).toEqual([stuck, false])
    reading.resumeProducing()
    sim.advance(60_000)
    expect([received, complete, sim.pending]).toEqual([total * piece.length, true, 0])
  })
})

it('two clients count the words of one another, in operators alone', () => {
  const here = world()
  const room = here.serve().pipe(share())
  const said = room.pipe(
    mergeMap((client) => client),
    share(),
  )
  merge(
    said,
    room.pipe(
      tap((client) =>
        said
          .pipe(
            scan((count) => count + 1, 0),
            map(String),
          )
          .subscribe(client),
      ),
    ),
  ).subscribe()
  here.sim.advance(10)
  const one = here.chat()
  const two = here.chat()
  const logs = [heard(one.pipe(map(toText))), heard(two.pipe(map(toText)))]
  here.sim.advance(10)
  one.next('a')
  two.next('b')
  here.sim.advance(10)
  expect(logs.map(({ log }) => log)).toEqual([
    ['1', '2'],
    ['1', '2'],
  ])
})
