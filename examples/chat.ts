/**
 * A chat server: run it with `npm run example -- chat`, then come in with `nc 127.0.0.1 8000`, several times.
 *
 * Look at who knows what: the Room knows its members and nothing of bytes, a Member is one connection and nothing else.
 * A member that does not read costs at most 1 MiB, then it is out, and nobody has waited for it. Try: `/me waves`.
 */
import {
  type ConnectionClosed,
  ConnectionDone,
  Factory,
  idleTimeout,
  limitConnections,
  limitPerPeer,
  type LineTooLong,
  serverFromString,
  TextLineReceiver,
  throttle,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'

export class Room {
  readonly #members = new Map<string, Member>()

  get names(): string {
    return [...this.#members.keys()].join(', ')
  }

  /** @returns whether the name was free */
  enter(name: string, member: Member): boolean {
    // Not to be taken for another, whatever the case of its letters.
    if ([...this.#members.keys()].some((taken) => taken.toLowerCase() === name.toLowerCase())) return false
    this.#members.set(name, member)
    this.say(`* ${name} is here`, member)
    return true
  }

  leave(name: string, how: string): void {
    this.#members.delete(name)
    this.say(`* ${name} is gone${how}`)
  }

  /** Tells everybody but one. */
  say(line: string, except?: Member): void {
    for (const member of this.#members.values()) if (member !== except) member.sendLine(line)
  }
}

export class Member extends TextLineReceiver {
  /** What `nc` sends; a CR before it goes with the other control characters. */
  override delimiter = '\n'
  override maxLength = 1000
  readonly #room: Room
  #name: string | undefined

  constructor(room: Room) {
    super()
    this.#room = room
  }

  override connectionMade(): void {
    this.sendLine('* what is your name?')
  }

  override lineReceived(raw: string): void {
    // What strangers send is not to command anybody's terminal, nor to turn the direction of writing.
    const line = raw.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim()
    if (this.#name === undefined) this.#enter(line)
    else if (line === '/who') this.sendLine(`* ${this.#room.names}`)
    else if (line === '/quit') this.transport.loseConnection()
    else if (line.startsWith('/')) this.sendLine('* there are /who and /quit')
    else if (line !== '') this.#room.say(`${this.#name}: ${line}`, this)
  }

  override lineLengthExceeded(error: LineTooLong): void {
    this.sendLine(`* a line has ${error.limit} bytes at most`)
    this.transport.loseConnection({ cause: error })
  }

  /** The server is about to end. */
  override stopping(): void {
    this.sendLine('* the room closes')
    this.transport.loseConnection()
  }

  override connectionLost(reason: ConnectionClosed): void {
    if (this.#name !== undefined) this.#room.leave(this.#name, reason instanceof ConnectionDone ? '' : ', by accident')
  }

  #enter(name: string): void {
    if (!/^[\p{L}\p{N}_-]{1,20}$/u.test(name)) return this.sendLine('* a name has 1 to 20 letters or digits')
    if (!this.#room.enter(name, this)) return this.sendLine('* that name is taken')
    this.#name = name
    this.sendLine(`* hello ${name}; here are ${this.#room.names}`)
  }
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, endpoint = 'tcp:8000:interface=127.0.0.1') => {
    const room = new Room()
    const members = withPolicies(
      Factory.forProtocol(() => new Member(room)),
      limitConnections(1000),
      limitPerPeer(20),
      idleTimeout(reactor, 3_600_000),
      // What one may say in a second, so that nobody shouts the others down.
      throttle(reactor, { read: 2000 }),
    )
    const port = await serverFromString(reactor, endpoint).listen(members)
    console.log(`listening on ${port.host}`)
    await reactor.whenStopped()
  })
}
