/** StartTLS: what is said in the clear, what is held back, and what becomes of a connection that cannot be secret. */
import { amp, type ConnectionClosed, SendQueueOverflow, toText } from 'couplet'
import { assertNoResult, connected, failureResultOf, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { ca, server } from '../../node/certificates.ts'
import { reportsOfEachTest } from '../../reports.ts'
import { TwoPeers } from './two-peers.ts'
import { box } from './wire-boxes.ts'

const Ping = amp.command('Ping')
const Echo = amp.command('Echo', { arguments: { text: amp.Unicode() }, response: { text: amp.Unicode() } })
const options = { ca, serverName: 'localhost' }

const locator = new amp.CommandLocator().respond(Ping, () => {}).respondToStartTLS(server)

describe('Who asks for StartTLS', () => {
  it('goes on as the client of TLS when the peer agrees', () => {
    const client = new amp.AMP()
    const peers = new TwoPeers(client, new amp.AMP(locator))
    const secured = client.startTLS(options)
    expect(toText(peers.client.value())).toBe('\0\x04_ask\0\x011\0\x08_command\0\x08StartTLS\0\0')
    expect(peers.client.startedTLS).toBeUndefined()
    peers.talk()
    expect(successResultOf(secured)).toBeUndefined()
    expect(peers.client.startedTLS).toEqual({ role: 'client', ...options })
    expect(peers.server.startedTLS).toEqual({ role: 'server', ...server })
  })

  it('says nothing until then, and everything afterwards, in order', () => {
    const client = new amp.AMP().respond(Ping, () => {})
    const transport = connected(client)
    client.startTLS(options)
    transport.clear()
    const call = client.callRemote(Echo, { text: 'secret' })
    // Not even an answer.
    transport.receive(box({ _ask: 'x', _command: 'Ping' }))
    expect(transport.value()).toHaveLength(0)
    transport.receive(box({ _answer: '1' }))
    expect(transport.startedTLS).toBeDefined()
    expect(toText(transport.value())).toMatch(/^.*secret.*_answer/s)
    transport.receive(box({ _answer: '2', text: 'kept' }))
    expect(successResultOf(call)).toEqual({ text: 'kept' })
  })

  it('says nothing at all if the peer refuses: the connection ends', () => {
    const client = new amp.AMP()
    const peers = new TwoPeers(client, new amp.AMP())
    let reason: ConnectionClosed | undefined
    const connectionLost = client.connectionLost.bind(client)
    client.connectionLost = (why) => {
      reason = why
      return connectionLost(why)
    }
    const secured = client.startTLS(options)
    const call = client.callRemote(Echo, { text: 'secret' })
    peers.talk()
    const error = failureResultOf(secured, amp.UnhandledCommand).value
    expect(peers.client.value()).toHaveLength(0)
    assertNoResult(call)
    peers.client.end()
    expect(reason).toMatchObject({ name: 'ConnectionAborted', cause: error })
    expect(failureResultOf(call).value).toBe(reason)
  })

  it('who gives it up ends the connection', () => {
    const client = new amp.AMP()
    const transport = connected(client)
    const secured = client.startTLS(options)
    secured.cancel()
    expect(failureResultOf(secured).value).toMatchObject({ code: 'ERR_CANCELLED' })
    expect(transport.disconnecting).toBe(true)
  })

  it('does not hold back without end what a peer that does not answer asks for', () => {
    const client = Object.assign(new amp.AMP(), { maxUnsent: 1_000_000 })
    client.respond(Echo, (values) => values)
    const transport = connected(client)
    client.startTLS(options).addErrback(() => {})
    for (let count = 0; count < 100 && !transport.aborting; count++) {
      transport.receive(box({ _ask: `${count}`, _command: 'Echo', text: 'x'.repeat(60_000) }))
    }
    expect(transport.cause).toBeInstanceOf(SendQueueOverflow)
  })

  it.each<[string, object, RegExp]>([
    ['are misspelled', { rejectUnauthorized: false }, /has no option "rejectUnauthorized"/],
    ['are half given', { cert: 'x' }, /key is missing/],
  ])('is refused at once if the options %s', (_, wrong, message) => {
    const client = new amp.AMP()
    const transport = connected(client)
    expect(failureResultOf(client.startTLS(wrong), TypeError).value).toMatchObject({
      message: expect.stringMatching(message) as string,
    })
    expect(transport.value()).toHaveLength(0)
    expect(transport.disconnecting).toBe(false)
  })

  it('asks once', () => {
    const client = new amp.AMP()
    connected(client)
    client.startTLS(options)
    failureResultOf(client.startTLS(options))
  })

  it('needs a connection', () => {
    failureResultOf(new amp.AMP().startTLS(options))
    const client = new amp.AMP()
    const transport = connected(client)
    transport.end()
    failureResultOf(client.startTLS(options))
  })
})

describe('Who is asked for StartTLS', () => {
  const reports = reportsOfEachTest()

  it('does not know the command unless it has a certificate', () => {
    const transport = connected(new amp.AMP())
    transport.receive(box({ _ask: '1', _command: 'StartTLS' }))
    expect(toText(transport.value())).toContain('UNHANDLED')
    expect(transport.startedTLS).toBeUndefined()
  })

  it('answers in the clear, and goes on as the server of TLS', () => {
    const transport = connected(new amp.AMP(locator))
    transport.receive(box({ _ask: '1', _command: 'StartTLS' }))
    expect(toText(transport.value())).toBe('\0\x07_answer\0\x011\0\0')
    expect(transport.startedTLS).toEqual({ role: 'server', ...server })
  })

  it('does not go on if nobody waits for the answer', () => {
    const transport = connected(new amp.AMP(locator))
    transport.receive(box({ _command: 'StartTLS' }))
    expect(transport.startedTLS).toBeUndefined()
    expect(reports).toHaveLength(1)
    expect(transport.disconnecting).toBe(false)
  })

  it('does not go on twice', () => {
    const transport = connected(new amp.AMP(locator))
    Object.assign(transport, { tls: {} })
    transport.receive(box({ _ask: '1', _command: 'StartTLS' }))
    expect(transport.startedTLS).toBeUndefined()
    expect(transport.cause).toBeInstanceOf(amp.AmpProtocolError)
  })

  it('does not go on if it has asked itself', () => {
    const peer = new amp.AMP(locator)
    const transport = connected(peer)
    peer.startTLS(options).addErrback(() => {})
    transport.receive(box({ _ask: '1', _command: 'StartTLS' }))
    expect(transport.startedTLS).toBeUndefined()
    expect(transport.cause).toBeInstanceOf(amp.AmpProtocolError)
  })
})
