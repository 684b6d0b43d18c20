/**
 * A SOCKS 5 proxy (RFC 1928, CONNECT without passwords): run it with `npm run example -- socks-proxy`, then
 * `curl --socks5-hostname 127.0.0.1:1080 https://example.com`.
 *
 * Look at how little is left to do once the client has said where to: it is a forward then, in which a slow end slows the
 * other one, and an end of input goes through. Bytes that came behind the request go first. Try: passwords (RFC 1929).
 */
import {
  AllAttemptsFailed,
  type ClientEndpoint,
  ConnectionRefusedError,
  DNSLookupError,
  Factory,
  FrameBuffer,
  HostnameEndpoint,
  idleTimeout,
  limitConnections,
  limitPerPeer,
  NoRouteError,
  portForward,
  type Reactor,
  serverFromString,
  setReporter,
  TCPTimedOutError,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'
import { Answer, answer, noMethod, noPassword, type Said, SocksDecoder, version } from './socks.ts'

function codeOf(reason: unknown): number {
  if (reason instanceof AllAttemptsFailed) return codeOf(reason.cause)
  if (reason instanceof ConnectionRefusedError) return Answer.refused
  if (reason instanceof NoRouteError) return Answer.networkUnreachable
  return reason instanceof DNSLookupError || reason instanceof TCPTimedOutError ? Answer.hostUnreachable : Answer.failed
}

/** Where the client wants to go, as soon as it has said so. */
class Destination {
  endpoint: ClientEndpoint | undefined
  connect: ClientEndpoint['connect'] = (factory, options) => this.endpoint!.connect(factory, options)
  toString = (): string => String(this.endpoint)
}

export class SocksServer extends portForward.ProxyServer {
  readonly #reactor: Reactor
  readonly #allowed: (host: string, port: number) => boolean
  readonly #destination: Destination
  readonly #decoder = new SocksDecoder()
  readonly #input = new FrameBuffer()
  #asked = false

  /** @param allowed where one may go: everywhere unless given */
  constructor(reactor: Reactor, allowed: (host: string, port: number) => boolean = () => true) {
    const destination = new Destination()
    super(new portForward.ProxyFactory(destination))
    this.#reactor = reactor
    this.#allowed = allowed
    this.#destination = destination
  }

  /** The forward begins when we know where to. */
  override connectionMade(): void {}

  override dataReceived(chunk: Uint8Array): void {
    if (this.peer !== undefined) return void super.dataReceived(chunk)
    this.#input.append(chunk)
    try {
      do for (let said; !this.#asked && (said = this.#decoder.decode(this.#input));) this.#heard(said)
      while (!this.#asked && this.#input.more())
    } catch (error) {
      this.transport.loseConnection({ cause: error as Error })
    }
  }

  override readConnectionLost(): void {
    if (this.peer === undefined) this.transport.loseConnection()
    else super.readConnectionLost()
  }

  override stopping(): void {
    if (this.peer === undefined) this.transport.loseConnection()
  }

  override connected(client: portForward.ProxyClient): void {
    this.transport.write(answer(Answer.succeeded, client.transport.host))
    client.transport.write(this.#input.takeAll())
    super.connected(client)
  }

  override clientConnectionFailed(reason: Error): void {
    this.#refuse(codeOf(reason))
  }

  #heard(said: Said): void {
    if ('methods' in said) {
      const method = said.methods.includes(noPassword) ? noPassword : noMethod
      this.transport.write(new Uint8Array([version, method]))
      if (method === noMethod) this.transport.loseConnection()
      return
    }
    this.#asked = true
    const { command, host, port } = said
    if (command !== 1) return this.#refuse(Answer.commandUnknown)
    if (host === '') return this.#refuse(Answer.addressUnknown)
    if (!/^[\w.:-]{1,255}$/.test(host) || port === 0) return this.#refuse(Answer.hostUnreachable)
    if (!this.#allowed(host, port)) return this.#refuse(Answer.forbidden)
    this.#destination.endpoint = new HostnameEndpoint(this.#reactor, host, port, { timeout: 10_000 })
    super.connectionMade()
  }

  #refuse(code: number): void {
    this.transport.write(answer(code))
    this.transport.loseConnection()
  }
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, endpoint = 'tcp:1080:interface=127.0.0.1') => {
    // What cannot be reached the client is told; an operator needs no stack.
    setReporter(({ what, error }) =>
      console.error(`${what}: ${error instanceof Error ? error.message : String(error)}`),
    )
    const clients = Factory.forProtocol(() => new SocksServer(reactor, (_host, port) => port !== 25))
    const limits = [limitConnections(1000), limitPerPeer(100), idleTimeout(reactor, 600_000)]
    const port = await serverFromString(reactor, endpoint).listen(withPolicies(clients, ...limits))
    console.log(`listening on ${port.host}`)
    await reactor.whenStopped()
  })
}
