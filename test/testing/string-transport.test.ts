/** StringTransport: the test is the peer, and the promises are those of a real connection. */
import {
  ConnectionAborted,
  ConnectionDone,
  ConnectionLost,
  type Hook,
  IncompleteFrame,
  IPv4Address,
  Protocol,
  setReporter,
  toText,
  type Transport,
} from 'couplet'
import { AccumulatingProtocol, connected, StringTransport, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

class Talker extends AccumulatingProtocol {
  readonly calls: string[] = []

  override dataReceived(chunk: Uint8Array): Hook {
    super.dataReceived(chunk)
    this.calls.push(toText(chunk))
  }
}

describe('StringTransport', () => {
  it('says that TLS was begun, and with what', () => {
    const transport = new StringTransport()
    const started = transport.startTLS({ role: 'client', serverName: 'poems.example' })
    expect(successResultOf(started)).toBeUndefined()
    expect(transport.startedTLS).toEqual({ role: 'client', serverName: 'poems.example' })
  })

  it('remembers what is written: bytes, text, pieces', () => {
    const transport = new StringTransport()
    const bytes = new Uint8Array([1, 2])
    transport.write(bytes)
    bytes[0] = 9
    transport.write('é')
    transport.writeSequence(['a', new Uint8Array([98])])
    expect(transport.value()).toEqual(new Uint8Array([1, 2, 0xc3, 0xa9, 97, 98]))
    transport.clear()
    transport.write('again')
    expect(transport.text()).toBe('again')
  })

  it("has Twisted's addresses, or those it is given", () => {
    const transport = new StringTransport()
    expect([String(transport.host), String(transport.peer)]).toEqual(['10.0.0.1:12345', '192.168.1.1:54321'])
    const peer = new IPv4Address('TCP', '127.0.0.1', 1)
    expect(connected(new Talker(), { peer }).peer).toBe(peer)
  })

  it('makes the connection of a protocol, and hands it what the peer sends', () => {
    const protocol = new Talker()
    const transport = connected(protocol)
    expect([protocol.made, protocol.transport]).toEqual([1, transport])
    transport.receive('one')
    transport.receive('')
    transport.receive(new Uint8Array([116]))
    expect(protocol.calls).toEqual(['one', 't'])
  })

  it('closes in two steps: loseConnection says so, end() is when it happens', () => {
    const protocol = new Talker()
    const transport = connected(protocol)
    protocol.transport.loseConnection()
    expect([transport.disconnecting, transport.disconnected, transport.producerState]).toEqual([true, false, 'stopped'])
    expect(protocol.closedReason).toBe(undefined)
    transport.receive('not heard any more')
    transport.write('not sent any more')
    transport.end()
    expect(transport.disconnected).toBe(true)
    expect(protocol.closedReason).toBeInstanceOf(ConnectionDone)
    expect([protocol.calls, transport.text()]).toEqual([[], ''])
  })

  it('ends once, whatever is asked for', () => {
    const protocol = new Talker()
    const transport = connected(protocol)
    transport.end(new ConnectionLost('cable cut'))
    const reason = protocol.closedReason
    transport.end()
    transport.abortConnection()
    transport.loseConnection()
    transport.write('x')
    expect(protocol.closedReason).toBe(reason)
    expect([transport.aborting, transport.text()]).toEqual([false, ''])
    expect(reason?.message).toBe('cable cut')
    expect(successResultOf(protocol.whenClosed())).toBe(reason)
  })

  it.each<[string, (transport: Transport, cause: Error) => void]>([
    ['abortConnection', (transport, cause) => transport.abortConnection(cause)],
    ['loseConnection with a cause', (transport, cause) => transport.loseConnection({ cause })],
  ])('ends as ConnectionAborted after %s', (_, close) => {
    const protocol = new Talker()
    const transport = connected(protocol)
    const cause = new Error('bad manners')
    close(transport, cause)
    expect(transport.cause).toBe(cause)
    transport.end()
    expect(protocol.closedReason).toBeInstanceOf(ConnectionAborted)
    expect(protocol.closedReason?.cause).toBe(cause)
  })

  it('ends as ConnectionAborted without a cause too', () => {
    const protocol = new Talker()
    const transport = connected(protocol)
    transport.abortConnection()
    transport.end()
    expect([transport.aborting, protocol.closedReason]).toEqual([true, expect.any(ConnectionAborted)])
  })

  it("takes the peer's end for a clean one, unless the protocol says that something is missing", () => {
    class Unfinished extends Talker {
      override inputEnded(): Error {
        return new Error('half a message')
      }
    }
    const clean = new Talker()
    connected(clean).end()
    expect(clean.closedReason).toBeInstanceOf(ConnectionDone)
    const cut = new Unfinished()
    connected(cut).end()
    expect(cut.closedReason).toBeInstanceOf(ConnectionLost)
    expect(cut.closedReason?.cause).toEqual(new Error('half a message'))
  })

  it('stays open for a protocol that wants to write after the peer has ended', () => {
    class Patient extends Talker {
      override readConnectionLost(): void {
        this.calls.push('readConnectionLost')
        this.transport.write('and another thing')
      }
    }
    const protocol = new Patient()
    const transport = connected(protocol)
    transport.end()
    expect([protocol.calls, transport.text()]).toEqual([['readConnectionLost'], 'and another thing'])
    expect(protocol.closedReason).toBe(undefined)
    expect(() => transport.receive('more')).toThrow('The peer has ended')
    transport.end()
    expect(protocol.closedReason).toBeInstanceOf(ConnectionDone)
  })

  it('holds back what the peer sends, and its end, while the protocol has paused', () => {
    const protocol = new Talker()
    const transport = connected(protocol)
    protocol.transport.pauseProducing()
    expect([transport.paused, transport.producerState]).toEqual([true, 'paused'])
    transport.receive('one')
    transport.receive('two')
    transport.end()
    expect([protocol.calls, protocol.closedReason]).toEqual([[], undefined])
    protocol.transport.resumeProducing()
    expect([protocol.calls, protocol.closedReason]).toEqual([['one', 'two'], expect.any(ConnectionDone)])
  })

  it('asks for what the protocol kept back itself, before anything else', () => {
    class Keeper extends Talker {
      override inputResumed(): void {
        this.calls.push('kept')
      }
    }
    const protocol = new Keeper()
    const transport = connected(protocol)
    transport.resumeProducing()
    transport.pauseProducing()
    transport.receive('one')
    transport.resumeProducing()
    expect(protocol.calls).toEqual(['kept', 'one'])
  })

  it('never delivers a chunk inside the call for another one', () => {
    class Again extends Talker {
      override dataReceived(chunk: Uint8Array): void {
        super.dataReceived(chunk)
        if (toText(chunk) === 'one') transport.receive('two')
        this.calls.push(`after ${toText(chunk)}`)
      }
    }
    const protocol = new Again()
    const transport = connected(protocol)
    transport.receive('one')
    expect(protocol.calls).toEqual(['one', 'after one', 'two', 'after two'])
  })

  it('keeps the registered producer to itself, for the test to drive, and stops it at the end', () => {
    const calls: string[] = []
    const producer = {
      pauseProducing: () => void calls.push('pause'),
      resumeProducing: () => void calls.push('resume'),
      stopProducing: () => void calls.push('stop'),
    }
    const protocol = new Talker()
    const transport = connected(protocol)
    transport.registerProducer(producer, true)
    expect([transport.producer, transport.streaming]).toEqual([producer, true])
    expect(() => transport.registerProducer(producer, true)).toThrow('a producer is registered already')
    transport.loseConnection()
    transport.write('the producer may finish')
    expect(transport.text()).toBe('the producer may finish')
    transport.end()
    expect(calls).toEqual(['stop'])
    transport.registerProducer(producer, false)
    expect([transport.producer, calls]).toEqual([undefined, ['stop', 'stop']])
  })

  it.each([
    ['at the end', undefined, 'ConnectionDone'],
    ['in the middle of a frame', new IncompleteFrame(9), 'ConnectionLost'],
  ])('waits, as a socket does, for a producer that has not finished when the peer ends %s', (_, cut, reason) => {
    const protocol = Object.assign(new Talker(), { inputEnded: () => cut })
    const transport = connected(protocol)
    transport.registerProducer({ pauseProducing() {}, resumeProducing() {}, stopProducing() {} }, true)
    transport.receive('half a li')
    transport.end()
    transport.write('and the rest')
    expect([transport.disconnected, transport.disconnecting, transport.text()]).toEqual([false, true, 'and the rest'])
    transport.unregisterProducer()
    transport.end()
    expect([transport.disconnected, protocol.closedReason?.name]).toEqual([true, reason])
  })

  it('drops what is written after loseWriteConnection, and hears on', () => {
    const protocol = new Talker()
    const transport = connected(protocol)
    transport.loseWriteConnection()
    transport.write('x')
    transport.receive('one')
    expect([transport.text(), transport.writeEnded, protocol.calls]).toEqual(['', true, ['one']])
  })

  it('lets the test see what a hook throws', () => {
    class Broken extends Protocol {
      override dataReceived(): void {
        throw new Error('broken')
      }
    }
    expect(() => connected(new Broken()).receive('x')).toThrow('broken')
  })

  it('aborts when a promise that a hook returned fails, and reports it', async () => {
    const error = new Error('later')
    class Late extends Talker {
      override dataReceived(): Hook {
        return Promise.reject(error)
      }
    }
    const reports: unknown[] = []
    const restore = setReporter((report) => reports.push(report))
    const protocol = new Late()
    const transport = connected(protocol)
    transport.receive('x')
    await Promise.resolve()
    restore()
    expect([transport.aborting, transport.cause]).toEqual([true, error])
    expect(reports).toEqual([{ error, what: 'dataReceived of Late failed', subject: protocol }])
  })

  it('says that it has no protocol yet, or has one already', () => {
    const transport = new StringTransport()
    expect(() => transport.receive('x')).toThrow('connected(protocol)')
    transport.deliverTo(new Talker())
    expect(() => transport.deliverTo(new Talker())).toThrow('already')
  })
})
