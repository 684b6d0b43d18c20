/**
 * An HTTP/1.0 server for the files of a directory: run it with `npm run example -- http-files .`, then
 * `curl http://127.0.0.1:8080/README.md`.
 *
 * Look at what it says no to: a line that is too long, before it has ended; a path that leads out of the directory, after
 * links are followed. Of a file 64 KiB are in memory, however slow the client is. Try: `index.html` for a directory.
 */
import { constants, type FileHandle, open, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import {
  Factory,
  FileSender,
  FileTransferStopped,
  idleTimeout,
  limitConnections,
  limitPerPeer,
  LineReceiver,
  serverFromString,
  toText,
  totalTimeout,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'

const reasons = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
} as const
const types = new Map(Object.entries({ '.css': 'text/css', '.html': 'text/html', '.txt': 'text/plain' }))

export class FileServer extends LineReceiver {
  override maxLength = 8192
  readonly #root: string
  #request: { readonly method: string; readonly path: string } | undefined
  #headers = { count: 0, bytes: 0 }
  #answering = false

  constructor(root: string) {
    super()
    this.#root = root
  }

  override lineReceived(line: Uint8Array): void | Promise<void> {
    const text = toText(line)
    if (this.#request === undefined) {
      const [, method = '', path = ''] = /^([A-Z]{1,20}) (\/[!->@-~]*)(?:\?[!-~]*)? HTTP\/1\.\d$/.exec(text) ?? []
      if (method === '') this.#refuse(400)
      else if (method !== 'GET' && method !== 'HEAD') this.#refuse(405)
      else this.#request = { method, path }
      return
    }
    if (text === '') return this.#answer(this.#request.method, this.#request.path)
    this.#headers.bytes += line.length
    if (++this.#headers.count > 100 || this.#headers.bytes > 32_768) this.#refuse(431)
    else if (!/^[!#$%&'*+.^`|~\w-]+:/.test(text)) this.#refuse(400)
  }

  override lineLengthExceeded(): void {
    this.#refuse(this.#request === undefined ? 414 : 431)
  }

  /** What comes behind the request is not for us; but who sends a body is not to be cut off for that. */
  override rawDataReceived(): void {}

  /** The client has said all it will, and still listens. */
  override readConnectionLost(): void {
    if (!this.#answering) this.#refuse(400)
  }

  async #answer(method: string, path: string): Promise<void> {
    this.#answering = true
    this.setRawMode()
    const file = await this.#openFile(path)
    if (file === undefined) return this.#refuse(404)
    try {
      const { size } = await file.stat()
      this.#head(200, types.get(extname(path)) ?? 'application/octet-stream', size)
      if (method === 'GET') {
        const sent = await new FileSender().beginFileTransfer(pieces(file, size), this.transport)
        if (sent < size) return this.transport.abortConnection(new Error(`${path} has become shorter`))
      }
      this.transport.loseConnection()
    } catch (error) {
      // The client has gone: nobody's mistake.
      if (!(error instanceof FileTransferStopped)) throw error
    } finally {
      await file.close()
    }
  }

  /** @returns nothing if there is no such file, or if it is not one that we give away */
  async #openFile(target: string): Promise<FileHandle | undefined> {
    let file: FileHandle | undefined
    try {
      const path = decodeURIComponent(target)
      if (path.split('/').some((part) => part.startsWith('.') || /[\\\0:]/.test(part))) return undefined
      const real = await realpath(join(this.#root, path))
      if (!real.startsWith(join(this.#root, sep))) return undefined
      // A pipe that nobody writes to would keep us waiting.
      file = await open(real, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
      if ((await file.stat()).isFile()) return file
    } catch {
      // A bad escape, no such file, not allowed: all the same to a stranger.
    }
    await file?.close()
    return undefined
  }

  #refuse(status: keyof typeof reasons): void {
    const text = `${status} ${reasons[status]}\n`
    this.#head(status, 'text/plain', text.length)
    if (this.#request?.method !== 'HEAD') this.transport.write(text)
    this.transport.loseConnection()
  }

  #head(status: keyof typeof reasons, type: string, length: number): void {
    this.#answering = true
    this.sendLine(`HTTP/1.0 ${status} ${reasons[status]}`)
    if (status === 405) this.sendLine('Allow: GET, HEAD')
    this.sendLine(`Content-Type: ${type}`)
    this.sendLine(`Content-Length: ${length}`)
    this.sendLine('')
  }
}

/** As much as there was in the beginning, and no more. */
async function* pieces(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(65_536), 0, Math.min(65_536, size - at), at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, directory = '.', endpoint = 'tcp:8080:interface=127.0.0.1') => {
    const root = await realpath(directory)
    const server = Factory.forProtocol(() => new FileServer(root))
    const times = [idleTimeout(reactor, 30_000), totalTimeout(reactor, 3_600_000)]
    const guarded = withPolicies(server, limitConnections(1000), limitPerPeer(100), ...times)
    const port = await serverFromString(reactor, endpoint).listen(guarded)
    console.log(`listening on ${port.host}`)
    await reactor.whenStopped()
  })
}
