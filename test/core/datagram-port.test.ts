/** Ports for datagrams, over a medium that does as the test says: limits, losses, hooks that fail, beginning and end. */
import {
  type Data,
  DatagramLost,
  type DatagramOptions,
  DatagramPort,
  DatagramProtocol,
  Deferred,
  InvalidAddressError,
  type IPAddress,
  IPv4Address,
  IPv6Address,
  MessageLengthError,
  Recorder,
  type Report,
  SendQueueOverflow,
  setTracer,
  toBytes,
  toText,
  UnsupportedAddress,
} from 'couplet'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { outcome, ScriptedReactor } from '../scripted-reactor.ts'

const host = new IPv4Address('UDP', '10.0.0.1', 5000)
const peer = new IPv4Address('UDP', '10.0.0.2', 53)
const other = new IPv4Address('UDP', '10.0.0.3', 53)

class ScriptedDatagrams extends DatagramPort {
  readonly sent: [text: string, to: string][] = []
  queued = 0
  isClosed = 0
  /** What the kernel will say to `connect`. */
  readonly asked = new Deferred<IPAddress>()

  arrive(data: Data, from: IPAddress = peer): void {
    this.received(toBytes(data), from)
  }
  refuse(): void {
    this.refused(new DatagramLost(peer, 'nobody listens there'))
  }
  lose(why = 'no route'): void {
    this.lost(new DatagramLost(peer, why))
  }
  gone(): void {
    this.closed()
  }

  protected override send(datagram: Uint8Array, to: IPAddress | undefined): void {
    this.sent.push([toText(datagram), String(to)])
  }
  protected override connectTo(): Deferred<IPAddress> {
    return this.asked
  }
  protected override close(): void {
    this.isClosed++
    this.reactor.callLater(0, () => this.closed())
  }
}

class Diary extends DatagramProtocol {
  readonly calls: string[] = []
  readonly broken: Partial<Record<string, unknown>> = {}
  later: PromiseLike<unknown> | undefined

  override startProtocol(): void {
    this.#call('start')
  }
  override datagramReceived(datagram: Uint8Array, from: IPAddress): void | PromiseLike<unknown> {
    this.#call(`${toText(datagram)} from ${from}`)
    if (this.later !== undefined) return this.later
  }
  override stopProtocol(): void {
    this.#call('stop')
    this.transport.write('too late', peer)
  }
  #call(what: string): void {
    this.calls.push(what)
    const [first = ''] = what.split(' ')
    if (first in this.broken) throw this.broken[first]
  }
}

/** Wants to hear of everything. */
class Attentive extends Diary {
  override connectionRefused(): void {
    this.calls.push('refused')
  }
  override datagramLost(reason: DatagramLost, count: number): void {
    this.calls.push(`lost ${count}: ${reason.message}`)
    // Whoever tries again at once.
    this.transport.write('again', peer)
  }
}

class DatagramReactor extends ScriptedReactor {
  readonly datagrams: ScriptedDatagrams[] = []
  override bind(address: IPAddress, options: DatagramOptions = {}): Deferred<DatagramPort> {
    const port = new ScriptedDatagrams(this, address, options)
    this.datagrams.push(port)
    const bound = new Deferred<DatagramPort>()
    bound.callback(port)
    return bound
  }
}

let reactor: DatagramReactor
const reports = takeReports()
/** What was reported since this was last asked. */
const taken = (): Report[] => reports.all.splice(0)
beforeEach(() => {
  reactor = new DatagramReactor()
})

function port(protocol: DatagramProtocol, options: DatagramOptions = {}, at: IPAddress = host): ScriptedDatagrams {
  const made = new ScriptedDatagrams(reactor, at, options)
  made.deliverTo(protocol)
  return made
}

describe('a datagram port', () => {
  it('tells its protocol of the start, of every datagram, of the empty one too, and of the end', () => {
    const diary = new Diary()
    const datagrams = port(diary)
    datagrams.arrive('one')
    datagrams.arrive('')
    datagrams.arrive('two', other)
    const stopped = outcome(datagrams.stopListening())
    datagrams.arrive('late')
    expect(diary.calls).toEqual(['start', 'one from 10.0.0.2:53', ' from 10.0.0.2:53', 'two from 10.0.0.3:53'])
    expect(stopped).toEqual({})
    reactor.advance(0)
    datagrams.arrive('later still')
    expect(diary.calls.slice(4)).toEqual(['stop'])
    expect(stopped).toEqual({ value: undefined })
    expect(datagrams.sent).toEqual([])
  })

  it('is stopped once, however often that is asked for, and everybody who asks is told', () => {
    const diary = new Diary()
    const datagrams = port(diary)
    const first = outcome(datagrams.stopListening())
    const second = outcome(datagrams.stopListening())
    reactor.advance(0)
    const third = outcome(datagrams.stopListening())
    datagrams.gone()
    expect([first, second, third]).toEqual([{ value: undefined }, { value: undefined }, { value: undefined }])
    expect(datagrams.isClosed).toBe(1)
    expect(diary.calls).toEqual(['start', 'stop'])
  })

  it('stays open when a hook throws, or fails later, and reports each once', async () => {
    const diary = new Diary()
    const datagrams = port(diary)
    const thrown = new Error('thrown')
    diary.broken['bad'] = thrown
    datagrams.arrive('bad')
    datagrams.arrive('good')
    const rejected = new Error('rejected')
    diary.later = Promise.reject(rejected)
    datagrams.arrive('slow')
    await diary.later.then(undefined, () => {})
    diary.later = undefined
    datagrams.arrive('fine')
    expect(diary.calls.slice(1).map((call) => call.split(' ')[0])).toEqual(['bad', 'good', 'slow', 'fine'])
    const both = taken()
    expect(both.map(({ error }) => error)).toEqual([thrown, rejected])
    expect(both[0]?.what).toBe('datagramReceived of Diary failed')
    expect(both[0]?.subject).toBe(diary)
  })

  it('reports what stopProtocol throws, and is closed all the same', () => {
    const diary = new Diary()
    diary.broken['stop'] = new Error('no end')
    const stopped = outcome(port(diary).stopListening())
    reactor.advance(0)
    expect(stopped).toEqual({ value: undefined })
    expect(taken().map(({ error }) => error)).toEqual([diary.broken['stop']])
  })

  it('has one protocol, which has one port at a time', () => {
    const diary = new Diary()
    const first = port(diary)
    expect(() => first.deliverTo(new Diary())).toThrow('has its protocol already')
    expect(() => port(diary)).toThrow('10.0.0.1:5000: this Diary has a port already (make one for each port)')
    first.stopListening()
    reactor.advance(0)
    const second = port(diary)
    expect(diary.transport).toBe(second)
    expect(diary.calls).toEqual(['start', 'stop', 'start'])
  })

  it('takes no protocol after its end', () => {
    const datagrams = new ScriptedDatagrams(reactor, host, {})
    datagrams.stopListening()
    const diary = new Diary()
    expect(() => datagrams.deliverTo(diary)).toThrow('10.0.0.1:5000: this port has stopped')
    reactor.advance(0)
    expect(diary.calls).toEqual([])
  })

  it('is seen by a tracer: what it sends, what arrives, what is lost', () => {
    const recorder = new Recorder({ now: () => 0 })
    onTestFinished(setTracer(recorder))
    const datagrams = port(new Attentive())
    datagrams.write('out', peer)
    datagrams.arrive('in')
    datagrams.lose()
    const kinds = recorder.events.map(({ k }) => k)
    expect(kinds.filter((kind) => kind === 'listen' || kind.startsWith('dgram'))).toEqual([
      'listen',
      'dgram.send',
      'dgram.recv',
      'dgram.lost',
    ])
    expect(JSON.stringify(recorder.events)).toContain('10.0.0.2:53')
  })

  it('tells nobody of what came before it had a protocol', () => {
    const datagrams = new ScriptedDatagrams(reactor, host, {})
    datagrams.arrive('early')
    const diary = new Diary()
    datagrams.deliverTo(diary)
    expect(diary.calls).toEqual(['start'])
  })

  it.each([0, -1, 1.5, NaN])('refuses a limit of %s bytes', (limit) => {
    expect(() => new ScriptedDatagrams(reactor, host, { maxPacketSize: limit })).toThrow(RangeError)
    expect(() => new ScriptedDatagrams(reactor, host, { maxSendQueue: limit })).toThrow('maxSendQueue')
  })
})

describe('writing a datagram', () => {
  it('sends text as UTF-8, bytes, and nothing at all', () => {
    const datagrams = port(new Diary())
    datagrams.write('é', peer)
    datagrams.write(toBytes('bytes'), other)
    datagrams.write('', peer)
    expect(datagrams.sent).toEqual([
      ['é', '10.0.0.2:53'],
      ['bytes', '10.0.0.3:53'],
      ['', '10.0.0.2:53'],
    ])
  })

  it.each<[string, IPAddress, DatagramOptions, number]>([
    ['over IPv4', host, {}, 65_507],
    ['over IPv6', new IPv6Address('UDP', '::', 1), {}, 65_527],
    ['with a limit', host, { maxPacketSize: 1200 }, 1200],
    ['with a limit that UDP does not have', host, { maxPacketSize: 1e6 }, 65_507],
  ])('has a limit %s, and the error says which', (_, at, options, limit) => {
    const datagrams = port(new Diary(), options, at)
    const to = at.kind === 'IPv4' ? peer : new IPv6Address('UDP', '::1', 53)
    datagrams.write(new Uint8Array(limit), to)
    expect(() => datagrams.write(new Uint8Array(limit + 1), to)).toThrow(MessageLengthError)
    expect(() => datagrams.write(new Uint8Array(limit + 1), to)).toThrow(
      `${to}: a datagram of ${limit + 1} bytes, the limit is ${limit} (split it, or see maxPacketSize)`,
    )
    expect(datagrams.sent).toHaveLength(1)
  })

  it('needs somebody to send to, of the kind of address that the port has', () => {
    const datagrams = port(new Diary())
    expect(() => datagrams.write('x')).toThrow(InvalidAddressError)
    expect(() => datagrams.write('x')).toThrow('10.0.0.1:5000: whom is this datagram for?')
    const six = new IPv6Address('UDP', '::1', 53)
    expect(() => datagrams.write('x', six)).toThrow('[::1]:53: a port at 10.0.0.1:5000 sends to IPv4 addresses only')
    expect(datagrams.sent).toEqual([])
  })

  it('does nothing once the port is to stop', () => {
    const datagrams = port(new Diary())
    datagrams.stopListening()
    datagrams.write('x', peer)
    datagrams.write('x')
    expect(datagrams.sent).toEqual([])
  })

  it('is lost, not queued for ever, when the system takes no more', () => {
    const attentive = new Attentive()
    const datagrams = port(attentive, { maxSendQueue: 1000 })
    datagrams.queued = 900
    datagrams.write(new Uint8Array(100), peer)
    for (let count = 0; count < 5; count++) datagrams.write(new Uint8Array(101), peer)
    expect(datagrams.sent).toHaveLength(1)
    expect(attentive.calls).toEqual(['start'])
    datagrams.queued = 0
    reactor.advance(0)
    expect(attentive.calls.slice(1)).toEqual([
      'lost 5: 10.0.0.2:53: a datagram was lost: too much waits to be sent already',
    ])
    // One onto an empty queue may be larger than all that may wait.
    datagrams.write(new Uint8Array(2000), peer)
    expect(datagrams.sent.map(([text]) => text.length)).toEqual([100, 5, 2000])
  })

  it('says in the cause how much would have been waiting', () => {
    const lost: DatagramLost[] = []
    const protocol = Object.assign(new Diary(), { datagramLost: (reason: DatagramLost) => void lost.push(reason) })
    const datagrams = port(protocol, { maxSendQueue: 1000 })
    datagrams.queued = 950
    datagrams.write(new Uint8Array(51), peer)
    reactor.advance(0)
    expect(lost[0]?.cause).toBeInstanceOf(SendQueueOverflow)
    expect(lost[0]?.cause).toMatchObject({ offered: 1001, limit: 1000 })
  })

  it('to port 0 is lost and does not throw: a forged sender must not make an answering server fail', () => {
    const attentive = new Attentive()
    const datagrams = port(attentive)
    datagrams.write('answer', peer.withPort(0))
    reactor.advance(0)
    expect(attentive.calls[1]).toBe('lost 1: 10.0.0.2:0: a datagram was lost: nobody can listen at port 0')
    expect(datagrams.sent).toEqual([['again', '10.0.0.2:53']])
  })
})

describe('a datagram that is too long', () => {
  it('is dropped whole when it arrives, and reported once a second at most', () => {
    const diary = new Diary()
    const datagrams = port(diary, { maxPacketSize: 10 })
    datagrams.arrive('0123456789')
    for (let count = 0; count < 3; count++) datagrams.arrive('0123456789+')
    expect(diary.calls.slice(1)).toEqual(['0123456789 from 10.0.0.2:53'])
    const [first, ...more] = taken()
    expect(more).toEqual([])
    expect(first?.error).toBeInstanceOf(MessageLengthError)
    expect(first?.what).toBe('Dropped 1 datagram that came to 10.0.0.1:5000')
    reactor.advance(1000)
    datagrams.arrive('0123456789+')
    expect(taken().map(({ what }) => what)).toEqual(['Dropped 3 datagrams that came to 10.0.0.1:5000'])
  })
})

describe('a datagram that was lost', () => {
  it('is told to who wants to hear it, once a turn, never inside of a write', () => {
    const attentive = new Attentive()
    const datagrams = port(attentive)
    datagrams.lose('first')
    datagrams.lose('second')
    datagrams.refuse()
    datagrams.refuse()
    expect(attentive.calls).toEqual(['start'])
    reactor.advance(0)
    expect(attentive.calls.slice(1)).toEqual(['refused', 'lost 2: 10.0.0.2:53: a datagram was lost: first'])
    reactor.advance(1000)
    expect(attentive.calls).toHaveLength(3)
  })

  it('is reported where nobody wants to hear it, once a second at most, and none goes uncounted', () => {
    const datagrams = port(new Diary())
    const turn = (): void => {
      datagrams.lose()
      datagrams.refuse()
      reactor.advance(1)
    }
    turn()
    const [first, ...more] = taken()
    expect(more).toEqual([])
    expect(first?.error).toBeInstanceOf(DatagramLost)
    expect(first?.what).toBe('Lost 2 datagrams of 10.0.0.1:5000 (datagramLost would be told)')
    turn()
    turn()
    expect(taken()).toEqual([])
    reactor.advance(1000)
    turn()
    expect(taken().map(({ what }) => what)).toEqual(['Lost 6 datagrams of 10.0.0.1:5000 (datagramLost would be told)'])
  })

  it('is not told after the end', () => {
    const attentive = new Attentive()
    const datagrams = port(attentive)
    datagrams.lose()
    datagrams.refuse()
    datagrams.stopListening()
    datagrams.lose()
    reactor.advance(1000)
    expect(attentive.calls).toEqual(['start', 'stop'])
  })
})

describe('a connected datagram port', () => {
  it('sends to its peer at once, and to nobody else', () => {
    const datagrams = port(new Diary())
    const connected = outcome(datagrams.connect('10.0.0.2', 53))
    datagrams.write('x')
    datagrams.write('y', peer)
    expect(() => datagrams.write('z', other)).toThrow('10.0.0.3:53: this port is connected to 10.0.0.2:53')
    expect(datagrams.sent).toEqual([
      ['x', 'undefined'],
      ['y', 'undefined'],
    ])
    expect(connected).toEqual({})
    datagrams.asked.callback(peer)
    expect(connected).toEqual({ value: undefined })
    expect(String(datagrams.peer)).toBe('10.0.0.2:53')
  })

  it('hears nobody else, not even who had sent something before', () => {
    const diary = new Diary()
    const datagrams = port(diary)
    datagrams.connect('10.0.0.2', 53)
    datagrams.asked.callback(peer)
    datagrams.arrive('forged', other)
    datagrams.arrive('real', peer)
    expect(diary.calls.slice(1)).toEqual(['real from 10.0.0.2:53'])
  })

  it('is not connected when the system says no, and may try again', () => {
    const datagrams = port(new Diary())
    const connected = outcome(datagrams.connect('10.0.0.2', 53))
    const no = new Error('no')
    datagrams.asked.errback(no)
    expect(connected).toEqual({ error: no })
    expect(datagrams.peer).toBeUndefined()
    expect(() => datagrams.write('x')).toThrow(InvalidAddressError)
  })

  it('cannot be connected to a name, to another kind of address, to port 0, twice, or after its end', () => {
    const datagrams = port(new Diary())
    expect(() => datagrams.connect('localhost', 53)).toThrow(InvalidAddressError)
    expect(() => datagrams.connect('localhost', 53)).toThrow('localhost: a datagram port connects to an IP address')
    expect(() => datagrams.connect('::1', 53)).toThrow(InvalidAddressError)
    expect(() => datagrams.connect('10.0.0.2', 0)).toThrow(RangeError)
    expect(() => datagrams.connect('10.0.0.2', 70_000)).toThrow(RangeError)
    datagrams.connect('10.0.0.2', 53)
    expect(() => datagrams.connect('10.0.0.3', 53)).toThrow('connected to 10.0.0.2:53 already')
    const stopped = port(new Diary())
    stopped.stopListening()
    expect(() => stopped.connect('10.0.0.2', 53)).toThrow('this port has stopped')
  })
})

describe('listenUDP', () => {
  it('opens a port of the address that is asked for, and starts the protocol', () => {
    const diary = new Diary()
    const { value } = outcome(reactor.listenUDP(53, diary))
    expect(value).toBe(reactor.datagrams[0])
    expect(value?.host).toEqual(new IPv4Address('UDP', '0.0.0.0', 53))
    expect(diary.calls).toEqual(['start'])
    const six = outcome(reactor.listenUDP(53, new Diary(), { interface: '::' })).value
    expect(six?.host).toEqual(new IPv6Address('UDP', '::', 53))
  })

  it('fails with what startProtocol throws, once the port is closed', () => {
    const diary = new Diary()
    const thrown = (diary.broken['start'] = new Error('not ready'))
    const failed = outcome(reactor.listenUDP(0, diary))
    expect(failed).toEqual({})
    reactor.advance(0)
    expect(failed).toEqual({ error: thrown })
    expect(reactor.datagrams[0]?.isClosed).toBe(1)
    expect(diary.calls).toEqual(['start'])
    expect(outcome(reactor.listenUDP(0, new Diary()))).toHaveProperty('value')
  })

  it.each([['port', -1, '0.0.0.0'] as const, ['interface', 0, 'localhost'] as const])(
    'fails with CannotListenError for a wrong %s',
    (_, number, name) => {
      const { error } = outcome(reactor.listenUDP(number, new Diary(), { interface: name }))
      expect(error).toMatchObject({ name: 'CannotListenError' })
    },
  )

  it('fails with UnsupportedAddress in a world without datagrams', () => {
    const { error } = outcome(new ScriptedReactor().listenUDP(53, new Diary()))
    expect(error).toBeInstanceOf(UnsupportedAddress)
  })
})
