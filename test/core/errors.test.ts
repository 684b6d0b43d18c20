/** Errors: each says its name, has a code to compare with, and is of the class that people catch. */
import * as couplet from 'couplet'
import { describe, expect, it } from 'vitest'

const address = new couplet.IPv4Address('TCP', '192.0.2.1', 10_000)
const cause = new Error('beneath')

const attempts = [
  new couplet.ConnectError(address),
  new couplet.DNSLookupError('poem.example'),
  new couplet.ConnectionRefusedError(address),
  new couplet.NoRouteError(address),
  new couplet.TCPTimedOutError(address, 5),
  new couplet.ConnectingCancelledError(address),
  new couplet.AllAttemptsFailed(address, [cause, cause]),
  new couplet.ConnectBindError(address),
  new couplet.UnsupportedAddress(address),
  new couplet.NoProtocol(address),
]
const ends = [new couplet.ConnectionDone(), new couplet.ConnectionLost(), new couplet.ConnectionAborted()]
const wire = [
  new couplet.RemoteProtocolError(),
  new couplet.FrameTooLong(6, 5),
  new couplet.LineTooLong(6, 5),
  new couplet.BadNetstring(),
  new couplet.BadVarint(),
  new couplet.InvalidUTF8(),
  new couplet.LocalProtocolError(),
  new couplet.StringTooLong(6, 5),
]
const others = [
  new couplet.CannotListenError(address, 'the port is taken'),
  new couplet.LingerTimeout(address, 5000, 3),
  new couplet.SendQueueOverflow(address, 6, 5),
  new couplet.IncompleteFrame(3, 5),
  new couplet.AlreadyCalled(),
  new couplet.AlreadyCancelled(),
]
const all = [...attempts, ...ends, ...wire, ...others]

describe('every error', () => {
  it('has its class as its name, which is not one of its own properties', () => {
    for (const error of all) {
      expect(error.name).toBe(error.constructor.name)
      expect(Object.keys(error)).not.toContain('name')
      expect(error.stack).toContain(error.name)
    }
  })

  it('has a code of its own', () => {
    const codes = all.map(({ code }) => code)
    expect(new Set(codes).size).toBe(all.length)
    for (const code of codes) expect(code).toMatch(/^ERR_[A-Z0-9_]+$/)
  })

  it('of an attempt names whom it was to reach', () => {
    for (const error of attempts) {
      expect(error).toBeInstanceOf(couplet.ConnectError)
      expect(error.message).toMatch(/^(192\.0\.2\.1:10000|poem\.example): ./)
      expect(String(error.address)).toBe(error.message.split(': ')[0])
    }
  })

  it('of a connection is a ConnectionClosed, and an aborted one is lost', () => {
    for (const error of ends) expect(error).toBeInstanceOf(couplet.ConnectionClosed)
    expect(ends.map((error) => error instanceof couplet.ConnectionLost)).toEqual([false, true, true])
  })

  it('of the wire is a ProtocolError, and says who broke the rules', () => {
    for (const error of wire) expect(error).toBeInstanceOf(couplet.ProtocolError)
    const theirs = wire.filter((error) => error instanceof couplet.RemoteProtocolError)
    const ours = wire.filter((error) => error instanceof couplet.LocalProtocolError)
    expect([theirs.length, ours.length]).toEqual([6, 2])
    expect([...theirs, ...ours]).toEqual(wire)
  })

  it('that names a limit names the size offered, the limit, and what to do', () => {
    expect(new couplet.LineTooLong(20_000, 16_384)).toMatchObject({ offered: 20_000, limit: 16_384 })
    expect(new couplet.LineTooLong(20_000, 16_384).message).toMatch(/20000 .* 16384 .*maxLength/)
    expect(new couplet.SendQueueOverflow(address, 6, 5).message).toMatch(/192.0.2.1:10000: 6 .* 5 .*maxSendQueue/)
    expect(new couplet.LingerTimeout(address, 5000, 3).message).toMatch(/5000 ms .*3 bytes/)
    expect(new couplet.IncompleteFrame(3, 5).message).toMatch(/3 of 5 bytes/)
    expect(new couplet.IncompleteFrame(3).message).toMatch(/3 bytes/)
  })

  it('keeps the error beneath it', () => {
    expect(new couplet.ConnectError(address, 'broken', { cause }).cause).toBe(cause)
    expect(new couplet.CannotListenError(address, 'taken', { cause }).cause).toBe(cause)
    expect(new couplet.ConnectionLost('lost', { cause }).cause).toBe(cause)
    expect(new couplet.NoProtocol(address)).not.toHaveProperty('cause')
  })
})
