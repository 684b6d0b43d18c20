/** `stdio:` and the endpoint behind it, in a world that has a standard input and output of its own. */
import {
  ClientFactory,
  clientFromString,
  Factory,
  serverFromString,
  StandardIOAddress,
  StandardIOEndpoint,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

class Never extends ClientFactory {
  override buildProtocol(): null {
    return null
  }
}

describe('stdio:', () => {
  it.each(['stdio:', 'stdio', 'STDIO:'])('is written %s', (text) => {
    const endpoint = serverFromString(new ScriptedReactor(), text)
    expect(endpoint).toBeInstanceOf(StandardIOEndpoint)
    expect(String(endpoint)).toBe('stdio')
  })

  it.each(['stdio:0', 'stdio::', 'stdio:mode=1', 'stdio:mode='])('takes no arguments: not %s', (text) => {
    expect(() => serverFromString(new ScriptedReactor(), text)).toThrow('it is written stdio:')
  })

  it('is for servers: whoever started the program is the client', () => {
    expect(() => clientFromString(new ScriptedReactor(), 'stdio:')).toThrow('no client endpoint has the type "stdio"')
  })

  it('listens there, and gives the one connection that comes in a protocol', () => {
    const reactor = new ScriptedReactor()
    const protocol = new AccumulatingProtocol()
    const factory = Factory.forProtocol(() => protocol)
    const listening = outcome(serverFromString(reactor, 'stdio:').listen(factory))
    reactor.advance(0)
    const port = only(reactor.ports)
    expect(listening.value).toBe(port)
    expect(port.host).toEqual(new StandardIOAddress())
    port.connect()
    expect(protocol.made).toBe(1)
  })

  it('refuses a ClientFactory', () => {
    expect(outcome(new StandardIOEndpoint(new ScriptedReactor()).listen(new Never())).error).toBeInstanceOf(TypeError)
  })
})

describe('tcp:PORT:reusePort=1', () => {
  const listen = (text: string): boolean | undefined => {
    const reactor = new ScriptedReactor()
    serverFromString(reactor, text).listen(Factory.forProtocol(() => null))
    reactor.advance(0)
    return only(reactor.ports).options.reusePort
  }

  it.each([
    ['tcp:8000:reusePort=1', true],
    ['tcp:8000:reusePort=0', false],
    ['tcp:8000', undefined],
  ])('%s asks for %s', (text, asked) => {
    expect(listen(text)).toBe(asked)
  })

  it('is yes or no', () => {
    expect(() => listen('tcp:8000:reusePort=yes')).toThrow('the argument reusePort is a whole number from 0 to 1')
  })
})
