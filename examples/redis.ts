/**
 * A client of Redis: run it with `npm run example -- redis SET poem ecstasy`, against a server on port 6379;
 * `npm run example -- redis SUBSCRIBE news` listens until Ctrl-C.
 *
 * Look at the queue of Deferreds: a reply is for whoever has waited longest, so commands need not wait for each other.
 * `gatherResults(names.map((name) => redis.command('GET', name)))` is one round trip. Try: `CLIENT TRACKING ON`.
 */
import { clientFromString, type ConnectionClosed, connectProtocol, type Data, Deferred, escaped, fail } from 'couplet'
import { join, Outbox, RemoteProtocolError, toBytes, toText } from 'couplet'
import { react } from 'couplet/node'
import { RedisError, type Reply, ReplyReceiver } from './resp.ts'

export class Redis extends ReplyReceiver {
  /** Whose answer has not come, by the number of the command, and whether that will be a push. */
  readonly #waiting = new Map<number, { answer: Deferred<Reply>; pushed: boolean }>()
  #asked = 0
  #answered = 0
  /** Keeps what there is no room for yet, so that to ask 100,000 things at once does not cost the connection. */
  readonly #outbox = new Outbox(this)
  /** So many bytes at most; beyond that it does. */
  readonly maxUnsent = 64 * 1024 * 1024
  #lost: ConnectionClosed | undefined
  readonly #told: (push: Reply[]) => void

  /** @param told is called with what nobody asked for: `['message', channel, bytes]`, `['invalidate', keys]` */
  constructor(told: (push: Reply[]) => void = () => {}) {
    super()
    this.#told = told
  }

  /** @returns fails with RedisError, or with the reason why the connection ended; to cancel it is to stop listening */
  command(name: string, ...args: readonly (Data | number)[]): Deferred<Reply> {
    // These are answered by a push for each channel.
    const pushed = /^[ps]?(un)?subscribe$/i.test(name)
    if (pushed && args.length !== 1) return fail(new RangeError(`${name}: one channel at a time, please`))
    if (this.#lost !== undefined) return fail(this.#lost)
    const parts = [name, ...args].map((part) => toBytes(typeof part === 'number' ? String(part) : part))
    const pieces = parts.flatMap((part) => [toBytes(`$${part.length}\r\n`), part, toBytes('\r\n')])
    const answer = new Deferred<Reply>()
    this.#waiting.set(this.#asked++, { answer, pushed })
    this.#outbox.send(join([toBytes(`*${parts.length}\r\n`), ...pieces]))
    return answer
  }

  /** Ends the connection when everything asked for is answered. */
  quit(): Deferred<Reply> {
    return this.command('QUIT')
  }

  override connectionMade(): void {
    this.command('HELLO', 3).addErrback(({ value }) => this.transport.abortConnection(value as Error))
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#lost = reason
    for (const { answer } of this.#waiting.values()) answer.errback(reason)
  }

  protected override pushReceived(push: Reply[]): void {
    const [kind] = push
    const confirms = kind instanceof Uint8Array && toText(kind).endsWith('subscribe')
    if (confirms && this.#waiting.get(this.#answered)?.pushed === true) this.replyReceived(push)
    else this.#told(push)
  }

  protected override replyReceived(reply: Reply): void {
    const waiting = this.#waiting.get(this.#answered)
    this.#waiting.delete(this.#answered++)
    if (waiting === undefined) this.frameRefused(new RemoteProtocolError('a reply to nothing'))
    else if (reply instanceof RedisError) waiting.answer.errback(reply)
    else waiting.answer.callback(reply)
  }
}

/** A reply for people, as redis-cli shows it. What the server has stored is not to command the terminal. */
export function shown(reply: Reply): string {
  if (reply instanceof Uint8Array) return escaped(reply, reply.length)
  if (Array.isArray(reply)) return `[${reply.map(shown).join(', ')}]`
  if (reply instanceof Map) return `{${[...reply].map(([key, value]) => `${shown(key)}: ${shown(value)}`).join(', ')}}`
  const text = reply instanceof RedisError ? reply.message : String(reply)
  return text.replaceAll(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, ...words) => {
    const isEndpoint = /^(tcp|unix):/.test(words[0] ?? '')
    const endpoint = clientFromString(reactor, isEndpoint ? words.shift()! : 'tcp:127.0.0.1:6379')
    const [name = 'PING', ...args] = words
    const redis = await connectProtocol(endpoint, new Redis((push) => console.log(shown(push))))
    console.log(shown(await redis.command(name, ...args).addTimeout(5000, reactor)))
    if (/subscribe$/i.test(name)) await reactor.whenStopped()
    await redis.quit()
  })
}
