/**
 * Who is on the IRC network of irc.ts, and who hears whom: names and channels, and nothing of bytes.
 *
 * Look at `neighbors`: whoever shares a channel with somebody hears of it when that one is renamed or leaves. Try: topics.
 */
export interface Listener {
  readonly nick: string
  /** Who speaks, in front of what is said: `:ann!ann@couplet`. */
  readonly prefix: string
  say(line: string): void
}

/** Names are compared without regard to case, and shown as they were given. */
export class Network {
  readonly #listeners = new Map<string, Listener>()
  readonly #channels = new Map<string, Set<Listener>>()

  /** @returns whether the name was free, or the listener's own */
  rename(listener: Listener, nick: string): boolean {
    if ((this.#listeners.get(nick.toLowerCase()) ?? listener) !== listener) return false
    this.#listeners.delete(listener.nick.toLowerCase())
    this.#listeners.set(nick.toLowerCase(), listener)
    return true
  }

  /** Everybody who is in a channel with `listener`, and that one first. */
  neighbors(listener: Listener): Set<Listener> {
    return new Set([listener, ...this.#channelsOf(listener).flatMap(([, members]) => [...members])])
  }

  /** @returns the names of all who are there now; or `undefined`, if that is no channel, or one too many, or known */
  join(listener: Listener, channel: string): string[] | undefined {
    const members = this.#channels.get(channel.toLowerCase()) ?? new Set()
    if (!/^#[\w-]{1,30}$/.test(channel) || members.has(listener) || this.#channelsOf(listener).length >= 20)
      return undefined
    this.#channels.set(channel.toLowerCase(), members.add(listener))
    for (const member of members) member.say(`${listener.prefix} JOIN ${channel}`)
    return [...members].map(({ nick }) => nick)
  }

  /** @returns whether the listener was there */
  part(listener: Listener, channel: string): boolean {
    const members = this.#channels.get(channel.toLowerCase())
    if (members?.has(listener) !== true) return false
    for (const member of members) member.say(`${listener.prefix} PART ${channel}`)
    this.#leave(listener, channel.toLowerCase(), members)
    return true
  }

  /** @param target a channel that the listener is in, or somebody's name @returns whether there is anybody */
  tell(listener: Listener, target: string, text: string): boolean {
    const members = this.#channels.get(target.toLowerCase())
    const other = this.#listeners.get(target.toLowerCase())
    const heard = members?.has(listener) === true ? members : other === undefined ? [] : [other]
    for (const each of heard) if (each !== listener) each.say(`${listener.prefix} PRIVMSG ${target} :${text}`)
    return members?.has(listener) === true || other !== undefined
  }

  /** The listener is not there any more. */
  quit(listener: Listener, why: string): void {
    for (const each of this.neighbors(listener)) if (each !== listener) each.say(`${listener.prefix} QUIT :${why}`)
    for (const [channel, members] of this.#channelsOf(listener)) this.#leave(listener, channel, members)
    if (this.#listeners.get(listener.nick.toLowerCase()) === listener) {
      this.#listeners.delete(listener.nick.toLowerCase())
    }
  }

  #channelsOf(listener: Listener): [string, Set<Listener>][] {
    return [...this.#channels].filter(([, members]) => members.has(listener))
  }

  /** A channel is there as long as somebody is in it. */
  #leave(listener: Listener, channel: string, members: Set<Listener>): void {
    members.delete(listener)
    if (members.size === 0) this.#channels.delete(channel)
  }
}
