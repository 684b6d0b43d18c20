/**
 * docs/walk-a-byte.md: each function that it names is in the file that it names, and they are called in its order.
 */
import { connect } from 'node:net'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Deferred, Factory, type IPv4Address, LineReceiver } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { fromDeferred } from 'couplet/rx'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { StreamConnection } from '../../src/framework/core/stream-connection.ts'
import { SendQueue } from '../../src/framework/core/send-queue.ts'
import { Turn } from '../../src/framework/core/turn.ts'
import { FrameBuffer } from '../../src/framework/framing/frame-buffer.ts'
import { FrameReceiver } from '../../src/framework/framing/frame-receiver.ts'
import { LineDecoder } from '../../src/framework/framing/line-decoder.ts'
import { LineFraming } from '../../src/framework/framing/line-framing.ts'
import { SocketConnection } from '../../src/framework/node/socket-connection.ts'
import { itsBlocksRun, pageNamed, tableOf } from './page.ts'

const page = pageNamed('walk-a-byte')
const steps = tableOf(page, 'file').map(([file = '', name = '', what = '']) => ({
  path: /\((.*)\)/.exec(file)?.[1] ?? '',
  file: /\[(.*)\]/.exec(file)?.[1] ?? '',
  name: name.replaceAll('`', ''),
  what,
}))

/** Who has which of the functions. Those with a `#`, and those inside of others, nobody can look at from outside. */
const owners: Readonly<Record<string, object>> = {
  'stream-connection.ts': StreamConnection.prototype,
  'turn.ts': Turn.prototype,
  'frame-receiver.ts': FrameReceiver.prototype,
  'frame-buffer.ts': FrameBuffer.prototype,
  'line-decoder.ts': LineDecoder.prototype,
  'line-framing.ts': LineFraming.prototype,
  'deferred.ts': Deferred.prototype,
  'send-queue.ts': SendQueue.prototype,
  'socket-connection.ts': SocketConnection.prototype,
}

describe('the way of a byte', () => {
  it('has its steps', () => {
    expect(steps.length).toBeGreaterThan(20)
  })

  it.each(steps)('$name is a function of $file', ({ path, file, name }) => {
    expect(path.endsWith(`/${file}`)).toBe(true)
    const source = readFileSync(join(import.meta.dirname, '../../docs', path), 'utf8')
    // A name may begin with #, which means nothing in a pattern.
    const defined = new RegExp(
      String.raw`^ *(?:(?:export |protected |override |static )*(?:function )?${name}(?:<.*>)?\(.*\{|(?:const )?${name} = (?:function )?\()`,
      'm',
    )
    expect(source).toMatch(defined)
  })

  it('goes through them in this order', async () => {
    const called: string[] = []
    let watching = false
    const watched = steps.filter(({ file, name }) => owners[file] !== undefined && name in owners[file])
    for (const { file, name } of new Map(watched.map((step) => [`${step.file} ${step.name}`, step])).values()) {
      const owner = owners[file] as Record<string, (this: unknown, ...given: unknown[]) => unknown>
      const itself = owner[name]
      if (itself === undefined) continue
      const spy = vi.spyOn(owner, name).mockImplementation(function (this: unknown, ...given) {
        const first = `${file} ${name}`
        // The byte's own journey begins where it is received.
        watching ||= name === 'received'
        if (watching && !called.includes(first)) called.push(first)
        return itself.apply(this, given)
      })
      onTestFinished(() => spy.mockRestore())
    }

    const line = new Deferred<Uint8Array>()
    let subscriber = 0
    fromDeferred(line).subscribe(() => (subscriber = called.length))
    const reactor = new NodeReactor()
    const factory = Factory.forProtocol(() => new OneLine(line))
    const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
    const client = connect((port.host as IPv4Address).port, '127.0.0.1')
    client.write('\n')
    await new Promise((answered) => client.once('data', answered))
    client.end()
    await port.stopListening()

    const promised = watched.map(({ file, name }) => `${file} ${name}`).filter((step) => !step.endsWith(' deliverTo'))
    expect(called).toEqual(promised)
    expect(promised.length).toBeGreaterThan(14)
    // The subscriber was called before anything was written.
    expect(called[subscriber]).toBe('line-framing.ts sendLine')
  })
})

class OneLine extends LineReceiver {
  override delimiter = '\n'
  readonly #line: Deferred<Uint8Array>

  constructor(line: Deferred<Uint8Array>) {
    super()
    this.#line = line
  }

  override lineReceived(bytes: Uint8Array): void {
    this.#line.callback(bytes)
    this.sendLine('thank you')
  }
}

itsBlocksRun(page, join(import.meta.dirname, 'walk-a-byte'), (name) => import(`./walk-a-byte/${name}.ts`))
