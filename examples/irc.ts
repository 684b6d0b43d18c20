/**
 * A server in the manner of IRC (RFC 1459): run it with `npm run example -- irc`, and come in with any IRC client, or with
 * `nc 127.0.0.1 6667`: `NICK ann`, `USER ann 0 * Ann`, `JOIN #poetry`, `PRIVMSG #poetry :hello`.
 *
 * Look at the table of states: what a client may say depends on where it is. Try: TOPIC.
 */
import {
  type Clock,
  type ConnectionClosed,
  ConnectionDone,
  type DelayedCall,
  Factory,
  idleTimeout,
  limitConnections,
  limitPerPeer,
  serverFromString,
  TextLineReceiver,
  throttle,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'
import { type Listener, Network } from './irc-network.ts'

type State = 'introduction' | 'conversation'
type Command = (client: Client, first: string, second: string) => void

export class Client extends TextLineReceiver implements Listener {
  /** Some clients send no CR before it; we do. */
  override delimiter = '\n'
  override maxLength = 511
  readonly #network: Network
  readonly #clock: Clock
  #state: State = 'introduction'
  #patience: DelayedCall | undefined
  #nick = ''
  #user = ''

  /** Maps, so that no peer finds what every object has. */
  static readonly #always: [string, Command][] = [
    ['NICK', (client, nick) => client.#rename(nick)],
    ['PING', (client, token) => client.say(`PONG irc.example :${token}`)],
    ['QUIT', (client) => client.transport.loseConnection()],
  ]
  static readonly #commands: Record<State, ReadonlyMap<string, Command>> = {
    introduction: new Map([...Client.#always, ['USER', (client, user) => client.#introduce(user)]]),
    conversation: new Map([
      ...Client.#always,
      ['USER', (client) => client.#reply(462, ':you are known already')],
      ['JOIN', (client, channel) => client.#join(channel)],
      ['PART', (client, channel) => client.#part(channel)],
      ['PRIVMSG', (client, target, text) => client.#tell(target, text)],
    ]),
  }

  constructor(network: Network, clock: Clock) {
    super()
    this.#network = network
    this.#clock = clock
  }

  override connectionMade(): void {
    this.#patience = this.#clock.callLater(30_000, () => {
      this.say('ERROR :30 seconds are over, and who are you?')
      this.transport.loseConnection()
    })
  }

  override lineReceived(line: string): void {
    const [, name = '', rest = ''] = /^(?::\S* +)?(\w{1,16})(?: +(.*))?$/.exec(line.replaceAll(/[\r\0]/g, '')) ?? []
    if (name === '') return
    const [, words = '', last] = /^(.*?)(?:(?:^| +):(.*))?$/.exec(rest) ?? []
    const parameters = words.split(' ').filter((word) => word !== '')
    if (last !== undefined) parameters.push(last)
    const command = Client.#commands[this.#state].get(name.toUpperCase())
    if (command !== undefined) command(this, parameters[0] ?? '', parameters[1] ?? '')
    else if (this.#state === 'introduction') this.#reply(451, ':NICK and USER first')
    else this.#reply(421, `${name} :unknown command`)
  }

  override connectionLost(reason: ConnectionClosed): void {
    if (this.#patience?.active() === true) this.#patience.cancel()
    this.#network.quit(this, reason instanceof ConnectionDone ? 'goodbye' : 'the connection broke')
  }

  get nick(): string {
    return this.#nick
  }

  get prefix(): string {
    return `:${this.#nick}!${this.#user}@couplet`
  }

  say(line: string): void {
    this.sendLine(`${line}\r`)
  }

  #reply(code: number, text: string): void {
    this.say(`:irc.example ${String(code).padStart(3, '0')} ${this.#nick || '*'} ${text}`)
  }

  #rename(nick: string): void {
    if (!/^[A-Za-z_[\]{}|^`\\][\w[\]{}|^`\\-]{0,15}$/.test(nick)) return this.#reply(432, ':this is no nickname')
    const before = this.prefix
    if (!this.#network.rename(this, nick)) return this.#reply(433, `${nick} :this nickname is taken`)
    this.#nick = nick
    if (this.#state === 'introduction') this.#welcome()
    else for (const each of this.#network.neighbors(this)) each.say(`${before} NICK :${nick}`)
  }

  #introduce(user: string): void {
    if (!/^[\w.-]{1,16}$/.test(user)) return this.#reply(461, 'USER :a name of letters and digits is missing')
    this.#user = user
    this.#welcome()
  }

  #welcome(): void {
    if (this.#nick === '' || this.#user === '') return
    this.#state = 'conversation'
    this.#patience?.cancel()
    this.#reply(1, `:welcome, ${this.#nick}`)
  }

  #join(channel: string): void {
    const names = this.#network.join(this, channel)
    if (names === undefined) return this.#reply(403, `${channel} :you cannot go there`)
    this.#reply(353, `= ${channel} :${names.join(' ')}`)
    this.#reply(366, `${channel} :that is all`)
  }

  #part(channel: string): void {
    if (!this.#network.part(this, channel)) this.#reply(442, `${channel} :you are not there`)
  }

  #tell(target: string, text: string): void {
    if (text === '') this.#reply(412, ':nothing to say')
    // With what stands before it, it is to be a line of 512 bytes at most again.
    else if (!this.#network.tell(this, target, text.slice(0, 400))) this.#reply(401, `${target} :nobody is there`)
  }
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, endpoint = 'tcp:6667:interface=127.0.0.1') => {
    const network = new Network()
    const clients = Factory.forProtocol(() => new Client(network, reactor))
    const calm = [idleTimeout(reactor, 600_000), throttle(reactor, { read: 2000 })]
    const guarded = withPolicies(clients, limitConnections(1000), limitPerPeer(20), ...calm)
    console.log(`listening on ${(await serverFromString(reactor, endpoint).listen(guarded)).host}`)
    await reactor.whenStopped()
  })
}
