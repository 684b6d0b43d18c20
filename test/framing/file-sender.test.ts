/** FileSender: one chunk each time the consumer asks, until the last; or until one of the two has had enough. */
import { Readable } from 'node:stream'
import {
  CancelledError,
  ConnectionLost,
  type Consumer,
  type Data,
  FileSender,
  FileTransferStopped,
  Protocol,
  type Report,
  setReporter,
} from 'couplet'
import { assertNoResult, connected, failureResultOf, type StringTransport, successResultOf } from 'couplet/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

class Silent extends Protocol {}

let transport: StringTransport
let reports: Report[]
let restore: () => void
beforeEach(() => {
  transport = connected(new Silent())
  reports = []
  restore = setReporter((report) => reports.push(report))
})
afterEach(() => restore())

/** Asks for one chunk, as a connection that has sent everything does. */
const ask = async (): Promise<void> => void (await transport.producer?.resumeProducing())

/** Asks until nothing is left, where nothing comes later. */
function askAll(): void {
  while (transport.producer !== undefined) void transport.producer.resumeProducing()
}

/** Chunks that remember what is done to them. */
class Chunks implements Iterator<Data, void>, Iterable<Data> {
  taken = 0
  returned = 0
  readonly #chunks: Data[]
  constructor(...chunks: Data[]) {
    this.#chunks = chunks
  }
  [Symbol.iterator](): Chunks {
    return this
  }
  next(): IteratorResult<Data, void> {
    this.taken++
    const value = this.#chunks.shift()
    return value === undefined ? { done: true, value } : { done: false, value }
  }
  return(): IteratorResult<Data, void> {
    this.returned++
    return { done: true, value: undefined }
  }
}

describe('FileSender', () => {
  it('hands over one chunk each time it is asked, and says how many bytes that were', () => {
    const chunks = new Chunks('é', new Uint8Array([0x61]), '', 'b')
    const sent = new FileSender().beginFileTransfer(chunks, transport)
    expect([transport.streaming, chunks.taken]).toEqual([false, 0])
    const seen: string[] = []
    while (transport.producer !== undefined) {
      assertNoResult(sent)
      void transport.producer.resumeProducing()
      seen.push(transport.text())
    }
    expect(seen).toEqual(['é', 'éa', 'éa', 'éab', 'éab'])
    expect([successResultOf(sent), chunks.taken, chunks.returned]).toEqual([4, 5, 0])
  })

  it('takes chunks that come later, and asks for the next one only after that', async () => {
    const chunks: ((chunk: string) => void)[] = []
    async function* later(): AsyncGenerator<string, void> {
      for (let count = 0; count < 2; count++) yield await new Promise<string>((resolve) => chunks.push(resolve))
    }
    const sent = new FileSender().beginFileTransfer(later(), transport)
    const asked = ask()
    expect([chunks.length, transport.text()]).toEqual([1, ''])
    chunks[0]?.('one')
    await asked
    expect([chunks.length, transport.text()]).toEqual([1, 'one'])
    const second = ask()
    await Promise.resolve()
    chunks[1]?.('two')
    await second
    await ask()
    expect([transport.text(), transport.producer, successResultOf(sent)]).toEqual(['onetwo', undefined, 6])
  })

  it('sends nothing of nothing', () => {
    const sent = new FileSender().beginFileTransfer([], transport)
    void transport.producer?.resumeProducing()
    expect([successResultOf(sent), transport.producer]).toEqual([0, undefined])
  })

  it('fails when the connection ends before, and tells the chunks', () => {
    const chunks = new Chunks('abc', 'd')
    const sent = new FileSender().beginFileTransfer(chunks, transport)
    void transport.producer?.resumeProducing()
    const producer = transport.producer
    transport.end(new ConnectionLost())
    const failure = failureResultOf(sent)
    expect(failure.value).toEqual(new FileTransferStopped(3))
    expect(failure.value).toMatchObject({ name: 'FileTransferStopped', sent: 3 })
    void producer?.resumeProducing()
    expect([chunks.taken, chunks.returned]).toEqual([1, 1])
  })

  it('fails at once on a connection that is closed already', () => {
    transport.loseConnection()
    const chunks = new Chunks('abc')
    const sent = new FileSender().beginFileTransfer(chunks, transport)
    expect(failureResultOf(sent).value).toBeInstanceOf(FileTransferStopped)
    expect([chunks.taken, chunks.returned]).toEqual([0, 1])
  })

  it.each([
    ['before the first chunk', 0],
    ['after it', 1],
  ])('leaves no stream of Node open that it stops %s', async (_when, chunks) => {
    const stream = Readable.from(['a', 'b', 'c'])
    const sent = new FileSender().beginFileTransfer(stream, transport)
    for (let count = 0; count < chunks; count++) await ask()
    transport.end(new ConnectionLost())
    expect(failureResultOf(sent).value).toEqual(new FileTransferStopped(chunks))
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
    expect(stream.destroyed).toBe(true)
  })

  it('writes nothing of a chunk that comes after it was told to stop', async () => {
    let give = (_chunk: IteratorResult<string>): void => {}
    const next = (): Promise<IteratorResult<string>> => new Promise((resolve) => (give = resolve))
    const sent = new FileSender().beginFileTransfer({ [Symbol.asyncIterator]: () => ({ next }) }, transport)
    const asked = ask()
    void transport.producer?.stopProducing()
    give({ done: false, value: 'late' })
    await asked
    expect([transport.text(), failureResultOf(sent).value]).toEqual(['', new FileTransferStopped(0)])
  })

  it.each([
    [
      'at once',
      (error: Error): Iterable<string> => ({
        [Symbol.iterator]: () => ({
          next: () => {
            throw error
          },
        }),
      }),
    ],
    [
      'later',
      (error: Error): AsyncIterable<string> => ({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }),
      }),
    ],
  ])('fails with what the chunks throw %s; the connection goes on', async (_, make) => {
    const error = new Error('the disk is gone')
    const sent = new FileSender().beginFileTransfer(make(error), transport)
    await ask()
    expect(failureResultOf(sent).value).toBe(error)
    expect([transport.producer, transport.disconnecting]).toEqual([undefined, false])
  })

  it('can be cancelled; the connection goes on', async () => {
    const chunks = new Chunks('abc')
    const sent = new FileSender().beginFileTransfer(chunks, transport)
    sent.cancel()
    expect(failureResultOf(sent).value).toBeInstanceOf(CancelledError)
    await ask()
    expect([chunks.taken, chunks.returned, transport.producer, transport.disconnecting]).toEqual([
      0,
      1,
      undefined,
      false,
    ])
  })

  it.each([
    [
      'throw',
      (error: Error): never => {
        throw error
      },
    ],
    ['fail later', (error: Error) => Promise.reject(error)],
  ])('reports it when chunks %s as they are told to stop', async (_, fail) => {
    const error = new Error('will not stop')
    const stubborn = { next: () => Promise.resolve({ done: false as const, value: 'x' }), return: () => fail(error) }
    const sent = new FileSender().beginFileTransfer({ [Symbol.asyncIterator]: () => stubborn }, transport)
    transport.end(new ConnectionLost())
    await Promise.resolve()
    expect(failureResultOf(sent).value).toBeInstanceOf(FileTransferStopped)
    expect(reports).toMatchObject([{ error }])
  })

  it('sends once, and on a connection that nobody else feeds', () => {
    const sender = new FileSender()
    const sent = sender.beginFileTransfer(['a'], transport)
    expect(() => sender.beginFileTransfer(['b'], transport)).toThrow('used already')
    const next = new FileSender()
    expect(() => next.beginFileTransfer(['b'], transport as Consumer)).toThrow('a producer is registered')
    askAll()
    expect([successResultOf(sent), transport.text()]).toEqual([1, 'a'])
    const second = next.beginFileTransfer(['b'], transport)
    askAll()
    expect([successResultOf(second), transport.text()]).toEqual([1, 'ab'])
  })
})
