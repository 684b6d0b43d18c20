/**
 * Messages a second: through the bridge, beside the bare receiver that it stands on, and beside the pipeline that one
 * writes by hand over `fromEvent(socket, 'data')`. Run it with `npm run bench -- rx`.
 *
 * The same chunks go into all of them, in memory, so that what is measured is the way from a chunk to a subscriber and
 * not the kernel. Each line is 40 bytes; a chunk is as large as sockets make them, or as small as a slow peer's.
 */
import { EventEmitter } from 'node:events'
import { LineReceiver, type Protocol, toText } from 'couplet'
import { bytes, Conversation, lines, type Receiver, textLines } from 'couplet/rx'
import { StringTransport } from 'couplet/testing'
import { fromEvent, map, mergeMap, type Observable, scan } from 'rxjs'
import { Bench } from 'tinybench'

const line = 'a line of some forty bytes in a stream\r\n'
const text = line.repeat(1600)
const whole = Buffer.from(text)

/** The text in chunks of `size` bytes: most lines straddle an edge when they are small. */
function chunksOf(size: number): Buffer[] {
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
    whole.subarray(index * size, (index + 1) * size),
  )
}

/** What a protocol asks of a transport while it receives, and nothing that would cost time. */
function fed(protocol: Protocol): (chunk: Uint8Array) => void {
  const transport = new StringTransport()
  transport.deliverTo(protocol)
  return (chunk) => void protocol.dataReceived(chunk)
}

let count = 0

class Counting extends LineReceiver {
  override lineReceived(_line: Uint8Array) {
    count++
  }
}

class CountingText extends LineReceiver {
  override lineReceived(line: Uint8Array) {
    count += toText(line).length > 0 ? 1 : 0
  }
}

function throughTheBridge(
  receiver: Receiver<Uint8Array, unknown>,
  pipe: (source: Observable<Uint8Array>) => Observable<unknown>,
): (chunk: Uint8Array) => void {
  const conversation = new Conversation(receiver)
  const feed = fed(conversation.protocol)
  pipe(conversation).subscribe(() => count++)
  return feed
}

/** The text, as one writes it: join, split, keep the rest. */
function byHandAsText(): (chunk: Uint8Array) => void {
  const socket = new EventEmitter()
  const decoder = new TextDecoder()
  fromEvent(socket, 'data')
    .pipe(
      scan(
        ({ rest }, chunk) => {
          const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\r\n')
          return { rest: parts.pop() ?? '', parts }
        },
        { rest: '', parts: [] as string[] },
      ),
      mergeMap(({ parts }) => parts),
    )
    .subscribe(() => count++)
  return (chunk) => void socket.emit('data', chunk)
}

/** The same for bytes. */
function byHandAsBytes(): (chunk: Uint8Array) => void {
  const socket = new EventEmitter()
  fromEvent(socket, 'data')
    .pipe(
      scan(
        ({ rest }, chunk) => {
          let data = Buffer.concat([rest, chunk as Uint8Array])
          const parts: Buffer[] = []
          for (let end = data.indexOf('\r\n'); end !== -1; end = data.indexOf('\r\n')) {
            parts.push(data.subarray(0, end))
            data = data.subarray(end + 2)
          }
          return { rest: data, parts }
        },
        { rest: Buffer.alloc(0), parts: [] as Buffer[] },
      ),
      mergeMap(({ parts }) => parts),
    )
    .subscribe(() => count++)
  return (chunk) => void socket.emit('data', chunk)
}

const ways: Record<string, () => (chunk: Uint8Array) => void> = {
  'LineReceiver, bytes': () => fed(new Counting()),
  'bridge, bytes': () => throughTheBridge(lines(), (source) => source),
  'by hand, bytes': byHandAsBytes,
  'LineReceiver, text': () => fed(new CountingText()),
  'bridge, text': () => throughTheBridge(lines(), (source) => source.pipe(map(toText))),
  'bridge, textLines': () => throughTheBridge(bytes(), (source) => source.pipe(textLines({ delimiter: '\r\n' }))),
  'by hand, text': byHandAsText,
}

for (const size of [65_536, 1000]) {
  const bench = new Bench({ time: 500, warmupTime: 200 })
  for (const [name, make] of Object.entries(ways)) {
    const feed = make()
    const chunks = chunksOf(size)
    bench.add(name, () => {
      count = 0
      for (const chunk of chunks) feed(chunk)
      if (count !== 1600) throw new Error(`${name}: ${count} lines instead of 1600`)
    })
  }
  await bench.run()
  console.log(`\nchunks of ${size} bytes`)
  for (const { name, result } of bench.tasks) {
    if (result.state !== 'completed') throw new Error(`${name} did not complete`)
    const each = (1e6 * result.latency.p50) / 1600
    console.log(
      `${name.padEnd(22)} ${(1e3 / each).toFixed(2).padStart(6)} million lines/s ${each.toFixed(0).padStart(6)} ns each`,
    )
  }
}
