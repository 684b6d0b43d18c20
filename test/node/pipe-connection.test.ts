/** A connection over the pipes of a child process. */
import { PassThrough, Writable } from 'node:stream'
import { ConnectionDone, ConnectionLost, LingerTimeout, ProcessAddress } from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { PipeConnection } from '../../src/framework/core/pipe-connection.ts'
import { ReadablePipe, WritablePipe } from '../../src/framework/node/stream-pipes.ts'
import { ScriptedReactor } from '../scripted-reactor.ts'
import { turns } from './loopback.ts'

const address = new ProcessAddress('poet')

/** A pipe that takes what is written as slowly as the test likes; Node keeps count in its handle. */
class SlowPipe extends Writable {
  readonly _handle = { writeQueueSize: 0 }
  #done: (() => void) | undefined

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this._handle.writeQueueSize = chunk.length
    this.#done = done
  }

  takes(bytes: number): void {
    this._handle.writeQueueSize -= bytes
    if (this._handle.writeQueueSize === 0) this.#done?.()
  }
}

async function connected(output: Writable) {
  const reactor = new ScriptedReactor()
  const input = new PassThrough()
  const connection = new PipeConnection(
    reactor,
    address,
    address,
    {},
    new ReadablePipe(input),
    new WritablePipe(output),
  )
  const protocol = new AccumulatingProtocol()
  connection.deliverTo(protocol)
  /** Node's turns and the reactor's. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) {
      await turns(2)
      reactor.advance(0)
    }
  }
  await settle()
  return { reactor, connection, protocol, input, settle }
}

describe('a connection over pipes', () => {
  it('has patience with a reader that is slow, for as long as it reads', async () => {
    const output = new SlowPipe()
    const { reactor, connection, protocol, input, settle } = await connected(output)
    connection.write(new Uint8Array(100_000))
    connection.loseConnection()
    for (let part = 0; part < 10; part++) {
      reactor.advance(4999)
      output.takes(10_000)
    }
    input.end()
    await settle()
    expect(protocol.closedReason).toBeInstanceOf(ConnectionDone)
  })

  it('has none with one that has ceased to read', async () => {
    const output = new SlowPipe()
    const { reactor, connection, protocol, settle } = await connected(output)
    connection.write(new Uint8Array(100_000))
    connection.loseConnection()
    reactor.advance(4999)
    output.takes(10_000)
    reactor.advance(10_000)
    await settle()
    expect(protocol.closedReason).toBeInstanceOf(ConnectionLost)
    expect(protocol.closedReason?.cause).toBeInstanceOf(LingerTimeout)
    expect(protocol.closedReason?.message).toContain('90000 bytes were not delivered')
  })

  it('does not deliver while it is paused, whoever resumes the pipe', async () => {
    const { connection, protocol, input, settle } = await connected(new SlowPipe())
    connection.pauseProducing()
    input.write('early')
    input.resume()
    await settle()
    expect(protocol.text()).toBe('')
    connection.resumeProducing()
    await settle()
    expect(protocol.text()).toBe('early')
  })

  it('hears what had come before the silence was long enough, and was not read yet', async () => {
    const { reactor, connection, protocol, input, settle } = await connected(new SlowPipe())
    connection.closeInputAfterSilence(100)
    // Node calls its timers before it looks at its pipes.
    reactor.callLater(100, () => input.emit('data', Buffer.from('just in time')))
    reactor.advance(100)
    await settle()
    expect([protocol.text(), input.destroyed]).toEqual(['just in time', false])
    reactor.advance(99)
    await settle()
    expect(input.destroyed).toBe(false)
    reactor.advance(1)
    await settle()
    expect(input.destroyed).toBe(true)
    expect(protocol.closedReason).toBeInstanceOf(ConnectionDone)
  })

  it('is lost when somebody else closes the pipe that is read', async () => {
    const { protocol, input, settle } = await connected(new SlowPipe())
    input.destroy()
    await settle()
    expect(protocol.closedReason?.message).toContain('the pipe was closed before it had ended')
  })

  it('is lost when that pipe breaks', async () => {
    const { protocol, input, settle } = await connected(new SlowPipe())
    const cause = new Error('EIO')
    input.destroy(cause)
    await settle()
    expect(protocol.closedReason).toMatchObject({ cause })
  })
})
