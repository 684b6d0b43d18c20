/** Links: how long things take, what gets lost, in what pieces bytes come; and that TCP keeps its promises all the same. */
import { equal, TCPTimedOutError, ConnectError, ConnectionRefusedError } from 'couplet'
import { type Delivery, type LinkOptions, type Packet, Sim } from 'couplet/sim'
import { pattern } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { outcome, tcp, World } from './stage.ts'

describe('a link', () => {
  it('is the same in both directions unless one is asked for', () => {
    const { sim, server, client } = new World({ latency: 1 })
    sim.link('client', 'server').set({ latency: 30 })
    sim.link('client', 'server').oneWay.set({ latency: 10 })
    const world = { sim, server, client }
    expect(world.sim).toBe(sim)
    server.reactor.listen(tcp('0.0.0.0', 80), () => {})
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance(39.999)
    expect(dialed.value).toBeUndefined()
    sim.advance(0.001)
    expect(dialed.value).toBeDefined()
  })

  it('that slows down in the middle slows down what leaves from then on', () => {
    const world = new World({ latency: 10 })
    const times: number[] = []
    const { near } = world.connect({}, { data: () => void times.push(world.sim.now) })
    near.transport.write('a')
    world.sim.advance(5)
    world.sim.link('client', 'server').set({ latency: 50 })
    near.transport.write('b')
    world.sim.advance(1000)
    expect(times).toEqual([1010, 1055])
  })

  it('with a bandwidth carries so many bytes a second, of all its connections together', () => {
    const world = new World({ bandwidth: 10_000 })
    const first = world.connect()
    const second = world.connect()
    const start = world.sim.now
    first.near.transport.write(pattern(5000))
    second.near.transport.write(pattern(5000))
    world.sim.advance(999)
    expect(first.far.size + second.far.size).toBeLessThan(10_000)
    world.sim.advance(1)
    expect(world.sim.now - start).toBe(1000)
    expect([first.far.size, second.far.size]).toEqual([5000, 5000])
  })

  it('with jitter delivers in order, at other times with another seed', () => {
    const run = (seed: number): number[] => {
      const world = new World({ seed, latency: 5, jitter: 40 })
      const times: number[] = []
      const { near, far } = world.connect({}, { data: () => void times.push(world.sim.now) })
      for (let times = 0; times < 50; times++) {
        near.transport.write(pattern(10, times * 10))
        world.sim.advance(1)
      }
      world.sim.advance(1000)
      expect(equal(far.bytes, pattern(500))).toBe(true)
      expect(times.every((time, index) => index === 0 || time >= times[index - 1]!)).toBe(true)
      return times
    }
    expect(run(1)).toEqual(run(1))
    expect(run(1)).not.toEqual(run(2))
  })

  it('cuts what is sent into packets', () => {
    const world = new World()
    world.sim.link('client', 'server').set({ segmentSize: 1460 })
    const { near, far } = world.connect()
    near.transport.write(pattern(4000))
    world.sim.advance()
    expect(far.chunks.map(({ length }) => length)).toEqual([1460, 1460, 1080])
  })

  it.each<[Delivery, (lengths: number[]) => boolean]>([
    ['bytes', (lengths) => lengths.length === 3000],
    ['random', (lengths) => lengths.length > 3 && lengths.length < 3000 && new Set(lengths).size > 3],
    ['joined', (lengths) => lengths.length < 3],
    ['as sent', (lengths) => lengths.length === 3],
  ])('delivers the same bytes in pieces of its own: %s', (delivery, fits) => {
    const world = new World({ delivery, seed: 5, segmentSize: 1000 })
    const { near, far } = world.connect()
    near.transport.write(pattern(3000))
    near.transport.loseConnection()
    world.sim.advance()
    const lengths = far.chunks.map(({ length }) => length)
    expect(fits(lengths), String(lengths)).toBe(true)
    expect(equal(far.bytes, pattern(3000))).toBe(true)
    expect(far.calls).toEqual(['made', 'data', 'inputEnded', 'lost'])
    expect([far.complaints, near.reason?.name, far.reason?.name]).toEqual([[], 'ConnectionDone', 'ConnectionDone'])
  })

  it('that loses packets delivers all bytes, later', () => {
    const world = new World({ latency: 10, loss: 30, segmentSize: 100, seed: 3 })
    const { near, far } = world.connect({}, {}, 60_000)
    const start = world.sim.now
    let end = 0
    near.transport.write(pattern(2000))
    near.transport.loseConnection()
    for (; far.reason === undefined; end = world.sim.now) world.sim.advance(10)
    expect(equal(far.bytes, pattern(2000))).toBe(true)
    expect(end - start).toBeGreaterThan(400)
  })

  it.each<LinkOptions>([
    { latency: -1 },
    { jitter: NaN },
    { bandwidth: 0 },
    { segmentSize: 0.5 },
    { loss: 100 },
    { sendBuffer: 0 },
    { receiveBuffer: 1.5 },
  ])('cannot be %o', (options) => {
    expect(() => new Sim(options)).toThrow(RangeError)
    expect(() => new World().sim.link('client', 'server').set(options)).toThrow(RangeError)
  })

  it('is between two hosts that are there', () => {
    const { sim } = new World()
    expect(() => sim.link('client', 'nobody')).toThrow('there is no host nobody (there are: server, client)')
    expect(() => sim.link('client', 'client')).toThrow('client reaches itself without a link')
  })
})

describe('a partition', () => {
  it('delays what was sent until TCP sends it again', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    const repair = world.sim.link('client', 'server').partition()
    near.transport.write('hello')
    world.sim.advance(1000)
    expect(far.text).toBe('')
    repair()
    world.sim.advance(1000)
    expect(far.text).toBe('hello')
    expect(near.reason).toBeUndefined()
  })

  it('loses what is on its way, and that is sent again too', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    near.transport.write('hello')
    world.sim.advance(5)
    const repair = world.sim.link('client', 'server').partition()
    world.sim.advance(10)
    repair()
    world.sim.advance(100)
    expect(far.text).toBe('')
    world.sim.advance(1000)
    expect(far.text).toBe('hello')
  })

  it('that does not end breaks the connection: after quarter of an hour for who sends, sooner for who asks', () => {
    const world = new World({ latency: 10 })
    const lost: [string, number][] = []
    const { near, far } = world.connect(
      { lost: () => void lost.push(['near', world.sim.now]) },
      { lost: () => void lost.push(['far', world.sim.now]) },
    )
    world.sim.link('client', 'server').partition()
    near.transport.write('hello')
    world.sim.advance(2_000_000)
    expect(lost.map(([who]) => who)).toEqual(['far', 'near'])
    expect(lost.map(([, ms]) => Math.round(ms / 1000))).toEqual([1 + 60 + 9 * 75, 926])
    expect(near.reason).toMatchObject({ name: 'ConnectionLost', cause: { code: 'ETIMEDOUT' } })
    expect(far.reason).toMatchObject({ name: 'ConnectionLost', cause: { code: 'ETIMEDOUT' } })
    expect(world.sim.pending).toBe(0)
  })

  it('that hits the last words of a machine leaves no hole in what it said', () => {
    const world = new World({ latency: 10, segmentSize: 1 })
    const { near, far } = world.connect()
    near.transport.write('hello')
    world.sim.advance(5)
    world.client.crash('power')
    world.sim.rule(({ bytes }) => (bytes?.[0] === 'l'.charCodeAt(0) ? 'drop' : undefined))
    world.client.restart()
    world.sim.advance(120_000)
    expect(far.text).toBe('he')
    expect(far.reason).toMatchObject({ cause: { code: 'ECONNRESET' } })
  })

  it('in one direction lets bytes arrive whose sender never learns of it', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    world.sim.link('server', 'client').oneWay.partition()
    near.transport.write('hello')
    world.sim.advance(100)
    expect(far.text).toBe('hello')
    world.sim.advance(2_000_000)
    expect(near.reason).toMatchObject({ name: 'ConnectionLost', cause: { code: 'ETIMEDOUT' } })
  })

  it('keeps attempts from being answered; they are repeated after 1, 2, 4 seconds', () => {
    const world = new World({ latency: 10 })
    world.listen()
    const repair = world.sim.link('client', 'server').partition()
    const dialed = world.dial()
    world.sim.advance(2999)
    repair()
    world.sim.advance(10)
    expect(dialed.value).toBeUndefined()
    world.sim.advance(40)
    expect(dialed.value).toBeDefined()
  })

  it('makes attempts time out, by their own time or by the kernel’s', () => {
    const world = new World({ latency: 10 })
    world.listen()
    world.sim.link('client', 'server').partition()
    const own = world.dial({ timeout: 500 })
    const long = world.dial({ timeout: 1_000_000 })
    world.sim.advance(500)
    expect(own.error).toMatchObject({ name: 'TCPTimedOutError', message: '10.0.0.1:80: no connection within 500 ms' })
    world.sim.advance(130_000)
    expect(long.error).toBeInstanceOf(TCPTimedOutError)
    expect(String(long.error)).toContain('connecting timed out')
    expect(world.sim.pending).toBe(0)
  })

  it('loses a reset for good: the other side learns of it when it says something', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    const repair = world.sim.link('client', 'server').partition()
    near.transport.abortConnection()
    world.sim.advance(1000)
    repair()
    world.sim.advance(1000)
    expect([near.reason?.name, far.reason]).toEqual(['ConnectionAborted', undefined])
    far.transport.write('are you there?')
    world.sim.advance(1000)
    expect(far.reason).toMatchObject({ name: 'ConnectionLost', cause: { code: 'ECONNRESET' } })
  })

  it('or one that was lost in it is found out by asking, after a minute', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    const repair = world.sim.link('client', 'server').partition()
    near.transport.abortConnection()
    world.sim.advance(1000)
    repair()
    world.sim.advance(60_000)
    expect(far.reason).toMatchObject({ name: 'ConnectionLost', cause: { code: 'ECONNRESET' } })
  })

  it('ends once, however often its end is asked for', () => {
    const world = new World()
    const [first] = [world.sim.link('client', 'server').partition(), world.sim.link('client', 'server').partition()]
    first()
    first()
    const dialed = world.dial()
    world.sim.advance(100)
    expect(dialed).toEqual({})
  })
})

describe('a hold', () => {
  it('keeps everything back, and lets it go in order', () => {
    const world = new World({ latency: 10, segmentSize: 2 })
    const { near, far } = world.connect()
    const release = world.sim.link('client', 'server').hold()
    near.transport.write('hello ')
    near.transport.write('world')
    near.transport.loseConnection()
    world.sim.advance(3000)
    expect(far.text).toBe('')
    release()
    world.sim.advance(10)
    expect(far.text).toBe('hello world')
    world.sim.advance(10)
    expect([near.reason?.name, far.reason?.name]).toEqual(['ConnectionDone', 'ConnectionDone'])
  })

  it('holds attempts too', () => {
    const world = new World({ latency: 10 })
    world.listen()
    const release = world.sim.link('client', 'server').hold()
    const dialed = world.dial()
    world.sim.advance(5000)
    release()
    world.sim.advance(30)
    expect(dialed.value).toBeDefined()
  })
})

describe('slowness', () => {
  it('multiplies what the link takes, and ends', () => {
    const world = new World({ latency: 10 })
    const times: number[] = []
    const { near } = world.connect({}, { data: () => void times.push(world.sim.now) })
    const end = world.sim.link('client', 'server').slow({ times: 10 })
    near.transport.write('a')
    world.sim.advance(200)
    end()
    near.transport.write('b')
    world.sim.advance(200)
    expect(times).toEqual([1100, 1210])
  })

  it('limits the bandwidth', () => {
    const world = new World()
    const { near, far } = world.connect()
    const end = world.sim.link('client', 'server').slow({ bandwidth: 100 })
    near.transport.write(pattern(200))
    world.sim.advance(1999)
    expect(far.size).toBe(0)
    world.sim.advance(1)
    expect(far.size).toBe(200)
    end()
    expect(() => world.sim.link('client', 'server').slow({ bandwidth: 0 })).toThrow(RangeError)
    expect(() => world.sim.link('client', 'server').slow({ times: 1.5 })).toThrow(RangeError)
  })
})

describe('a rule', () => {
  it('sees every packet, and says what becomes of it', () => {
    const world = new World({ latency: 1 })
    const seen: string[] = []
    world.sim.rule(({ kind, from, to, connection, bytes }: Packet) => {
      seen.push(`${kind} ${from}>${to} ${connection} ${bytes?.length ?? '-'}`)
      return undefined
    })
    const { near } = world.connect()
    near.transport.write('hello')
    near.transport.loseConnection()
    world.sim.advance(100)
    expect(seen.filter((line) => !line.startsWith('acknowledgement'))).toEqual(
      [
        'connect client>server % -',
        'accept server>client % -',
        'data client>server % 5',
        'end client>server % -',
        'end server>client % -',
      ].map((line) => line.replace('%', 'client>10.0.0.1:80#1')),
    )
  })

  it('drops a packet, which is sent again', () => {
    const world = new World({ latency: 1 })
    const { near, far } = world.connect()
    const losses: number[] = []
    const end = world.sim.rule((packet) => {
      if (packet.kind !== 'data') return undefined
      losses.push(packet.losses)
      return packet.losses < 3 ? 'drop' : 'pass'
    })
    near.transport.write('hello')
    world.sim.advance(1000)
    expect(far.text).toBe('')
    world.sim.advance(1000)
    expect([far.text, losses]).toEqual(['hello', [0, 1, 2, 3]])
    end()
    near.transport.write('!')
    world.sim.advance(10)
    expect([far.text, losses.length]).toEqual(['hello!', 4])
  })

  it('resets a connection at the byte of its choice', () => {
    const world = new World({ latency: 1 })
    const { near, far } = world.connect()
    world.sim.rule(({ kind }) => (kind === 'data' ? 'reset' : undefined))
    near.transport.write('hello')
    world.sim.advance(10)
    for (const { reason } of [near, far]) expect(reason).toMatchObject({ cause: { code: 'ECONNRESET' } })
  })

  it('refuses an attempt, or breaks it at once', () => {
    const world = new World({ latency: 1 })
    world.listen()
    const end = world.sim.rule(({ kind }) => (kind === 'connect' ? 'reset' : undefined))
    const refused = world.dial()
    world.sim.advance(10)
    end()
    world.sim.rule(({ kind }) => (kind === 'accept' ? 'reset' : undefined))
    const broken = world.dial()
    world.sim.advance(10)
    expect(refused.error).toBeInstanceOf(ConnectionRefusedError)
    expect(broken.error).toBeInstanceOf(ConnectError)
    expect(world.client.netstat()).toEqual([])
  })
})
