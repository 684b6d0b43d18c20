/** Datagrams, and standard input and output, with Twisted at the other end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatagramProtocol, type IPAddress, IPv4Address, toText } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { pythonWith } from '../python.ts'
import { until } from './loopback.ts'

const python = pythonWith(['twisted'], 'python3-twisted')

/** What it says, a line each. */
function peer(...words: string[]): { next(): Promise<string> } {
  const process = spawn(python!, [join(import.meta.dirname, 'twisted_datagram_peer.py'), ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(process.stdout)[Symbol.asyncIterator]()
  onTestFinished(async () => {
    process.kill()
    if (process.exitCode === null && process.signalCode === null) await once(process, 'exit')
  })
  return { next: async () => String((await lines.next()).value) }
}

class Inbox extends DatagramProtocol {
  readonly got: [text: string, from: string][] = []
  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    this.got.push([toText(datagram), String(from)])
  }
}

class Answering extends Inbox {
  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    super.datagramReceived(datagram, from)
    this.transport.write(toText(datagram).toUpperCase(), from)
  }
}

describe.skipIf(python === undefined)("Twisted's peers", () => {
  it('answer our datagrams, the empty one too', async () => {
    const port = Number((await peer('udp-echo').next()).replace('port ', ''))
    const inbox = new Inbox()
    const ours = await new NodeReactor().listenUDP(0, inbox, { interface: '127.0.0.1' })
    onTestFinished(() => ours.stopListening().toPromise())
    const there = new IPv4Address('UDP', '127.0.0.1', port)
    ours.write('', there)
    await until(() => inbox.got.length === 1)
    expect(inbox.got).toEqual([['', String(there)]])
  })

  it('ask us, connected', async () => {
    const inbox = new Answering()
    const ours = await new NodeReactor().listenUDP(0, inbox, { interface: '127.0.0.1' })
    onTestFinished(() => ours.stopListening().toPromise())
    const asking = peer('udp-ask', String(ours.host.port))
    expect(await asking.next()).toBe("got ''")
    expect(await asking.next()).toBe("got 'HELLO'")
    expect(inbox.got.map(([text]) => text)).toEqual(['', 'hello'])
  })

  it('run our program and talk with it over stdin and stdout, to the last line', async () => {
    const program = `
      import { Factory, LineReceiver, serverFromString } from 'couplet'
      import { reactor } from 'couplet/node'
      serverFromString(reactor, 'stdio:').listen(Factory.forProtocol(() => new (class extends LineReceiver {
        lineReceived(line) { this.sendLine(String(new TextDecoder().decode(line)).toUpperCase()) }
      })))`
    const node = ['-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', program]
    expect(await peer('stdio', process.execPath, ...node).next()).toBe("said 'HELLO\\r\\nBYE\\r\\n' exit 0")
  })
})
