/** dialHost: from a name to a connection, by trying its addresses within one budget of time. */
import {
  AllAttemptsFailed,
  CancelledError,
  ConnectBindError,
  ConnectingCancelledError,
  ConnectionRefusedError,
  DNSLookupError,
  IPv4Address,
  IPv6Address,
  NoRouteError,
  TCPTimedOutError,
} from 'couplet'
import { beforeEach, describe, expect, it } from 'vitest'
import { dialHost } from '../../src/framework/core/dial-host.ts'
import { takeReports } from '../deferred/reports.ts'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

const v6 = (number: number): IPv6Address => new IPv6Address('TCP', `2001:db8::${number}`, 0)
const v4 = (number: number): IPv4Address => new IPv4Address('TCP', `192.0.2.${number}`, 0)
const first = v6(1)
const second = v4(1)

let reactor: ScriptedReactor
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
})

describe('dialHost', () => {
  it('looks the name up, then connects to its address', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000))
    expect([only(reactor.lookups).host, reactor.dials.length]).toEqual(['poem.example', 0])
    only(reactor.lookups).answer([second])
    expect(String(only(reactor.dials).address)).toBe('192.0.2.1:10000')
    const connection = only(reactor.dials).connect()
    expect(dialed).toEqual({ value: connection })
    expect(reactor.timers).toBe(0)
  })

  it('asks nobody about an address', () => {
    const dialed = outcome(dialHost(reactor, '::1', 7))
    expect(reactor.lookups).toEqual([])
    expect(String(only(reactor.dials).address)).toBe('[::1]:7')
    expect(dialed).toEqual({})
  })

  it('tries the next address when one fails, and reports nothing', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000))
    only(reactor.lookups).answer([first, second])
    only(reactor.dials).fail(new NoRouteError(first))
    expect(reactor.dials.map(({ address }) => String(address))).toEqual(['[2001:db8::1]:10000', '192.0.2.1:10000'])
    const connection = reactor.dials[1]?.connect()
    expect(dialed).toEqual({ value: connection })
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('fails with what its only address failed with', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000))
    only(reactor.lookups).answer([first])
    const refused = new ConnectionRefusedError(first)
    only(reactor.dials).fail(refused)
    expect(dialed.error).toBe(refused)
  })

  it('says of several addresses what each failed with', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000))
    only(reactor.lookups).answer([first, second])
    const errors = [new NoRouteError(first.withPort(7)), new ConnectionRefusedError(second.withPort(7))]
    reactor.dials[0]?.fail(errors[0])
    reactor.dials[1]?.fail(errors[1])
    expect(dialed.error).toBeInstanceOf(AllAttemptsFailed)
    expect(dialed.error).toMatchObject({ errors, cause: errors[1] })
    expect((dialed.error as Error).message).toBe(
      'poem.example:10000: none of 2 addresses could be reached: [2001:db8::1]:7: no route to this address (is the' +
        ' network up?); 192.0.2.1:7: connection refused (is the server running?)',
    )
  })

  it('does not ask a second address what is the fault of the program', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000))
    only(reactor.lookups).answer([first, second])
    const wrong = new TypeError('TLS for a client has no option "cacert"')
    only(reactor.dials).fail(wrong)
    expect(dialed.error).toBe(wrong)
  })

  it('lets the two families of addresses take turns', () => {
    outcome(dialHost(reactor, 'poem.example', 1))
    only(reactor.lookups).answer([v6(1), v6(2), v6(3), v4(1), v4(2), v6(4)])
    for (let index = 0; index < 6; index++) reactor.dials[index]?.fail(new ConnectionRefusedError(''))
    expect(reactor.dials.map(({ address }) => String(address))).toEqual(
      [v6(1), v4(1), v6(2), v4(2), v6(3), v6(4)].map((address) => String(address.withPort(1))),
    )
  })

  it('starts from an address of the same family only', () => {
    outcome(dialHost(reactor, 'poem.example', 1, { bindAddress: v4(9) }))
    only(reactor.lookups).answer([v6(1), v4(1)])
    expect(String(only(reactor.dials).address)).toBe('192.0.2.1:1')
    const dialed = outcome(dialHost(reactor, 'poem6.example', 1, { bindAddress: v4(9) }))
    reactor.lookups[1]?.answer([v6(1)])
    expect(dialed.error).toBeInstanceOf(ConnectBindError)
    expect(String(dialed.error)).toContain('poem6.example: the name has no IPv4 address, but 192.0.2.9')
  })

  it('tries a thousand addresses without filling the stack', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000))
    only(reactor.lookups).answer(Array.from({ length: 1000 }, () => second))
    for (let index = 0; index < 1000; index++) reactor.dials[index]?.fail(new ConnectionRefusedError(second))
    expect(dialed.error).toMatchObject({ errors: { length: 1000 } })
    expect((dialed.error as Error).message).toMatch(/; and 992 more$/)
    expect((dialed.error as Error).message.length).toBeLessThan(1000)
    expect(reactor.dials.length).toBe(1000)
  })

  it('fails with DNSLookupError, as it is, for an unknown name', () => {
    const dialed = outcome(dialHost(reactor, 'nowhere.example', 10_000))
    const unknown = new DNSLookupError('nowhere.example')
    only(reactor.lookups).fail(unknown)
    expect(dialed.error).toBe(unknown)
    expect(reactor.timers).toBe(0)
  })

  it('fails with DNSLookupError for a name without addresses', () => {
    const dialed = outcome(dialHost(reactor, 'empty.example', 10_000))
    only(reactor.lookups).answer([])
    expect(dialed.error).toBeInstanceOf(DNSLookupError)
    expect(String(dialed.error)).toBe('DNSLookupError: empty.example: the name has no address')
  })

  it('gives a lookup 30 s, and no more', () => {
    const dialed = outcome(dialHost(reactor, 'slow.example', 10_000))
    reactor.advance(29_999)
    expect(dialed).toEqual({})
    reactor.advance(1)
    expect(dialed.error).toBeInstanceOf(DNSLookupError)
    expect(String(dialed.error)).toContain('slow.example: no answer within 30000 ms')
    expect(only(reactor.lookups).cancelled).toBe(true)
    expect(reactor.timers).toBe(0)
  })

  it('has one budget for the lookup and all attempts', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000, { timeout: 1000 }))
    reactor.advance(300)
    only(reactor.lookups).answer([first, second])
    expect(reactor.dials[0]?.options.timeout).toBe(700)
    reactor.advance(500)
    reactor.dials[0]?.fail(new NoRouteError(first))
    expect(reactor.dials[1]?.options.timeout).toBe(200)
    reactor.advance(200)
    reactor.dials[1]?.fail(new TCPTimedOutError(second, 200))
    expect(dialed.error).toMatchObject({ errors: [{ name: 'NoRouteError' }, { name: 'TCPTimedOutError' }] })
  })

  it('begins no attempt when the budget is used up', () => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000, { timeout: 1000 }))
    only(reactor.lookups).answer([first, second])
    reactor.advance(1000)
    reactor.dials[0]?.fail(new TCPTimedOutError(first, 1000))
    expect(String(dialed.error)).toContain('192.0.2.1:10000: was not tried, because the time was over')
    expect(reactor.dials.length).toBe(1)
  })

  it('passes the other options on', () => {
    outcome(dialHost(reactor, '192.0.2.1', 10_000, { bindAddress: second, maxSendQueue: 5 }))
    expect(only(reactor.dials).options).toEqual({ bindAddress: second, maxSendQueue: 5, timeout: 30_000 })
  })

  it('cancelled while it looks up, gives the lookup up', () => {
    const dialing = dialHost(reactor, 'poem.example', 10_000)
    const dialed = outcome(dialing)
    dialing.cancel('no more')
    expect(only(reactor.lookups).cancelled).toBe(true)
    expect(dialed.error).toBeInstanceOf(ConnectingCancelledError)
    expect(dialed.error).toMatchObject({ cause: { name: 'CancelledError', cause: 'no more' } })
    expect([reactor.dials.length, reactor.timers]).toEqual([0, 0])
  })

  it.each([0, 1])('cancelled while it tries address %i, gives that up and tries no other', (index) => {
    const dialing = dialHost(reactor, 'poem.example', 10_000)
    const dialed = outcome(dialing)
    only(reactor.lookups).answer([first, second, second])
    if (index === 1) reactor.dials[0]?.fail(new NoRouteError(first))
    dialing.cancel()
    expect(reactor.dials[index]?.cancelled).toBe(true)
    expect(reactor.dials.length).toBe(index + 1)
    expect(dialed.error).toBeInstanceOf(ConnectingCancelledError)
    expect((dialed.error as Error).cause).toBeInstanceOf(CancelledError)
    expect(reactor.timers).toBe(0)
  })

  it.each([0, -1, 65_536, 1.5, NaN])('fails before it looks anything up for the port %d', (port) => {
    const dialed = outcome(dialHost(reactor, 'poem.example', port))
    expect(dialed.error).toBeInstanceOf(RangeError)
    expect(String(dialed.error)).toContain(`not ${port}`)
    expect(reactor.lookups).toEqual([])
  })

  it.each([0, -1, NaN, Infinity])('fails before it looks anything up for the timeout %d', (timeout) => {
    const dialed = outcome(dialHost(reactor, 'poem.example', 10_000, { timeout }))
    expect(dialed.error).toBeInstanceOf(RangeError)
    expect([reactor.lookups.length, reactor.timers]).toEqual([0, 0])
  })
})
