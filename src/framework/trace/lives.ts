/**
 * What a connection, a Deferred and a timer may do, one event after the other: an automaton for each.
 *
 * No ancestor in Twisted.
 */

/** Takes what is wrong with the present event, as a sentence. */
export type Complain = (what: string) => void

/** What was seen of one subject. */
export type Life = ConnectionLife | DeferredLife | TimerLife | FramesLife

/** Frames are read from a stream without a gap between two of them, unless somebody read bytes himself there. */
export class FramesLife {
  readonly process: unknown = undefined
  #frames = 0

  /** A frame of `n` bytes, the first of which is `off`, was read. */
  frame(off: number, n: number, complain: Complain): void {
    if (off < this.#frames) complain(`a frame at ${off}, and the one before it ended at ${this.#frames}`)
    this.#frames = off + n
  }
}

/** `made, hooks, lost, connectionLost`, and four counts of bytes: written >= sent, arrived >= received. */
export class ConnectionLife {
  readonly process: unknown
  /** The other end, as soon as bytes have come from there. */
  far: ConnectionLife | undefined
  #state: 'open' | 'made' | 'lost' | 'over' = 'open'
  #written = 0
  #sent = 0
  #arrived = 0
  #received = 0
  #frames = 0

  constructor(process: unknown) {
    this.process = process
  }

  write(off: number, n: number, complain: Complain): void {
    this.#goesOn('bytes are written', complain)
    if (off !== this.#written) complain(outOfPlace('written', off, this.#written))
    this.#written = off + n
  }

  sent(off: number, n: number, complain: Complain): void {
    this.#isNotLost('bytes are sent', complain)
    if (off !== this.#sent) complain(outOfPlace('sent', off, this.#sent))
    this.#sent = off + n
    if (this.#sent > this.#written) complain(tooMany(this.#sent, 'sent', this.#written, 'written'))
  }

  arrive(off: number, n: number, complain: Complain): void {
    this.#isNotLost('bytes arrive', complain)
    if (off !== this.#arrived) complain(outOfPlace('arrived', off, this.#arrived))
    this.#arrived = off + n
    if (this.far !== undefined && this.#arrived > this.far.#sent)
      complain(tooMany(this.#arrived, 'arrived', this.far.#sent, 'sent'))
  }

  received(off: number, n: number, complain: Complain): void {
    this.#goesOn('bytes are received', complain)
    if (off !== this.#received) complain(outOfPlace('received', off, this.#received))
    this.#received = off + n
    if (this.#received > this.#arrived) complain(tooMany(this.#received, 'received', this.#arrived, 'arrived'))
  }

  /** As {@link FramesLife.frame}; and it is made of what was received. */
  frame(off: number, n: number, complain: Complain): void {
    this.#goesOn('a frame is read', complain)
    if (off < this.#frames) complain(`a frame at ${off}, and the one before it ended at ${this.#frames}`)
    this.#frames = off + n
    if (this.#frames > this.#received) complain(tooMany(this.#frames, 'in frames', this.#received, 'received'))
  }

  becomes(kind: 'conn.made' | 'conn.half' | 'conn.close' | 'conn.lost', complain: Complain): void {
    this.#isNotLost(kind, complain)
    if (kind === 'conn.made') {
      if (this.#state === 'made') complain('it is made a second time')
      this.#state = 'made'
    } else if (kind === 'conn.lost') {
      this.#state = 'lost'
    }
  }

  called(what: string, complain: Complain): void {
    if (what !== 'connectionLost') {
      this.#goesOn(`${what} is called`, complain)
      return
    }
    if (this.#state !== 'lost') complain(`connectionLost is called, and it is ${this.#state}`)
    this.#state = 'over'
  }

  #goesOn(what: string, complain: Complain): void {
    if (this.#state === 'open') complain(`${what} before it is made`)
    else this.#isNotLost(what, complain)
  }

  #isNotLost(what: string, complain: Complain): void {
    if (this.#state === 'lost' || this.#state === 'over') complain(`${what} after it is lost`)
  }
}

/** `add* fire (run | pass | wait resume)*`: each stage once, in order, and none while it waits for another Deferred. */
export class DeferredLife {
  readonly process: unknown = undefined
  /** One of its stages runs. */
  running = false
  #fired = false
  #waits = false
  #added = 0
  #done = 0

  does(
    kind: 'd.add' | 'd.fire' | 'd.run' | 'd.pass' | 'd.wait' | 'd.resume',
    i: number | undefined,
    complain: Complain,
  ): void {
    switch (kind) {
      case 'd.add':
        if (i !== this.#added) complain(`stage ${i} is added, and ${this.#added} would be the next`)
        this.#added++
        break
      case 'd.fire':
        if (this.#fired) complain('it fires a second time')
        this.#fired = true
        break
      case 'd.wait':
        if (this.#waits) complain('it waits for a second Deferred at once')
        this.#waits = true
        break
      case 'd.resume':
        if (!this.#waits) complain('it goes on, and did not wait')
        this.#waits = false
        break
      default:
        this.#stage(i, complain)
        this.running = kind === 'd.run'
    }
  }

  #stage(i: number | undefined, complain: Complain): void {
    if (!this.#fired) complain(`stage ${i} has its turn before it has fired`)
    if (this.#waits) complain(`stage ${i} has its turn while it waits for another Deferred`)
    if (this.running) complain(`stage ${i} has its turn inside of the one before it`)
    if (i === undefined) return
    if (i !== this.#done || i >= this.#added) complain(`stage ${i} has its turn, and ${this.#done} would be the next`)
    this.#done = i + 1
  }
}

/** `set reset* (call | cancel)`, and never early. */
export class TimerLife {
  readonly process: unknown
  #due: number
  #end: 'called' | 'cancelled' | undefined

  /** @param due when, in milliseconds of its process */
  constructor(process: unknown, due: number) {
    this.process = process
    this.#due = due
  }

  reset(due: number, complain: Complain): void {
    if (this.#end !== undefined) complain(`it is reset, and was ${this.#end} before`)
    this.#due = due
  }

  cancel(complain: Complain): void {
    if (this.#end !== undefined) complain(`it is cancelled, and was ${this.#end} before`)
    this.#end = 'cancelled'
  }

  called(now: number, complain: Complain): void {
    if (this.#end !== undefined) complain(`it is called, and was ${this.#end} before`)
    if (now < this.#due - rounding) complain(`it is called at ${now} ms, and is due at ${this.#due} ms`)
    this.#end = 'called'
  }
}

/** A record counts whole microseconds. In milliseconds. */
const rounding = 0.002

function outOfPlace(done: string, off: number, expected: number): string {
  return `bytes from ${off} on are ${done}, and ${expected} would be the next`
}

function tooMany(more: number, moreDone: string, fewer: number, done: string): string {
  return `${more} bytes are ${moreDone}, and only ${fewer} were ${done}`
}
