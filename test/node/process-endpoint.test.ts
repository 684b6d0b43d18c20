/** A protocol that talks to a program as to a server, beyond what ../processes/contract.ts says. */
import {
  ConnectionDone,
  ConnectionLost,
  connectProtocol,
  Factory,
  LineReceiver,
  ProcessAddress,
  ProcessEndpoint,
  SpawnError,
  toText,
  UnsupportedAddress,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { ScriptedReactor } from '../scripted-reactor.ts'
import { ReactorByHand, turns, until } from './loopback.ts'

const reactor = new NodeReactor()

function shell(text: string, options = {}, on = reactor): ProcessEndpoint {
  return new ProcessEndpoint(on, '/bin/sh', ['-c', text], { stderr: 'ignore', ...options })
}

describe('a process endpoint', () => {
  it('lets any protocol speak with a program through its stdin and stdout', async () => {
    class Sorted extends LineReceiver {
      override delimiter = '\n'
      readonly lines: string[] = []
      override lineReceived(line: Uint8Array): void {
        this.lines.push(toText(line))
      }
    }
    const endpoint = new ProcessEndpoint(reactor, 'sort', [], { env: { PATH: process.env['PATH'] } })
    const protocol = await connectProtocol(endpoint, new Sorted())
    for (const line of ['roses', 'are', 'red']) protocol.sendLine(line)
    protocol.transport.loseWriteConnection()
    await until(() => reactor.stats().children === 0)
    await until(() => protocol.transport.disconnected)
    expect(protocol.lines).toEqual(['are', 'red', 'roses'])
  })

  it.each([
    ['cat', ConnectionDone, undefined],
    ['cat; exit 3', ConnectionLost, { exitCode: 3 }],
    ['cat; kill -SEGV $$', ConnectionLost, { signal: 'SIGSEGV' }],
  ])('ends as its process does: %s', async (text, kind, cause) => {
    const protocol = await connectProtocol(shell(text), new AccumulatingProtocol())
    protocol.transport.write('all of it')
    protocol.transport.loseWriteConnection()
    const reason = await protocol.whenClosed()
    expect(protocol.text()).toBe('all of it')
    expect(reason).toBeInstanceOf(kind)
    if (cause === undefined) expect(reason.cause).toBeUndefined()
    else expect(reason.cause).toMatchObject(cause)
  })

  it('ends its process when its connection is lost: one that goes at the end of its input', async () => {
    const protocol = await connectProtocol(shell('cat >/dev/null'), new AccumulatingProtocol())
    protocol.transport.write('the end')
    protocol.transport.loseConnection()
    expect(await protocol.whenClosed()).toBeInstanceOf(ConnectionDone)
  })

  it.each([
    ['one that closes its pipes and stays', 'SIGTERM', 20, ''],
    ['one that ignores that', 'SIGKILL', 40, 'trap "" TERM;'],
  ])('%s, by %s', async (_, signal, after, trap) => {
    const reactor = new ReactorByHand()
    const endpoint = shell(`${trap} exec >&- <&-; exec sleep 1000`, { linger: 20 }, reactor)
    const protocol = await connectProtocol(endpoint, new AccumulatingProtocol())
    await until(() => protocol.transport.disconnecting)
    // Its pipes are closed here, too.
    await turns(20)
    reactor.clock.advance(after)
    const reason = await protocol.whenClosed()
    expect(reason.cause).toMatchObject({ signal })
  })

  it('leaves alone a process that closes its pipes, for a protocol that can bear half a connection', async () => {
    class Half extends AccumulatingProtocol {
      halves = 0
      override readConnectionLost(): void {
        this.halves++
      }
    }
    const text = 'exec >&-; read line; exit 6'
    const protocol = await connectProtocol(shell(text, { linger: 1 }), new Half())
    await until(() => protocol.halves === 1)
    await turns(50)
    expect(protocol.closedReason).toBeUndefined()
    protocol.transport.write('go\n')
    expect((await protocol.whenClosed()).cause).toMatchObject({ exitCode: 6 })
  })

  it('fails as spawning does, with the program in the message', async () => {
    const endpoint = new ProcessEndpoint(reactor, '/no/such/program', ['x'])
    const failed = endpoint.connect(Factory.forProtocol(() => new AccumulatingProtocol()))
    await expect(failed).rejects.toThrow('process:["/no/such/program","x"]: cannot start the process')
    await expect(endpoint.connect(Factory.forProtocol(() => null))).rejects.toBeInstanceOf(SpawnError)
    expect(String(endpoint)).toBe('process:["/no/such/program","x"]')
  })

  it('kills its process if the factory wants no protocol for it', async () => {
    await expect(shell('exec sleep 1000').connect(Factory.forProtocol(() => null))).rejects.toThrow('no protocol')
    await until(() => reactor.stats().children === 0)
  })

  it('refuses where there are no processes', async () => {
    const scripted = new ScriptedReactor()
    const refused = scripted.spawn(new ProcessAddress('true'))
    expect(refused.called).toBe(false)
    scripted.advance(0)
    await expect(refused).rejects.toBeInstanceOf(UnsupportedAddress)
  })
})
