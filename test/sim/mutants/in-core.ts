/** Defects of connections, their queues, their turns and their timers. */
import type { Mutant } from './mutant.ts'

const connection = 'framework/core/stream-connection.ts'
const queue = 'framework/core/send-queue.ts'
const turn = 'framework/core/turn.ts'
const timers = 'framework/core/timer-queue.ts'

export const inCore: readonly Mutant[] = [
  /* ---------------------------------------------------------------- the end of a connection */
  {
    breaks: 'the FIN overtakes what is queued',
    file: connection,
    from: 'if (this.queued > 0 || this.#upgrade !== undefined) return',
    to: 'if (this.#upgrade !== undefined) return',
  },
  {
    breaks: 'connectionLost comes twice',
    file: connection,
    from: "this.#guard('connectionLost', () => this.#protocol?.connectionLost(reason))",
    to: "for (const _ of [1, 2]) this.#guard('connectionLost', () => this.#protocol?.connectionLost(reason))",
  },
  {
    breaks: 'connectionLost comes inside abortConnection',
    file: connection,
    from: "trace?.at('conn.close', this, { how: 'abort' })",
    to: 'this.closed()',
  },
  {
    breaks: 'data is delivered after loseConnection',
    file: connection,
    from: 'if (this.#life !== Life.open || this.#protocol === undefined) {',
    to: 'if (this.#life > Life.losing || this.#protocol === undefined) {',
  },
  {
    breaks: 'the linger timer is left behind',
    file: connection,
    from: 'ending.stopWaiting()',
    to: '',
  },
  {
    breaks: 'a connection that was cut ends clean',
    file: connection,
    from: 'this.#ending.reason ??= new ConnectionLost(`${this.peer}: connection lost: ${why}`, { cause: error })',
    to: 'void [error, why]\n    this.#ending.reason ??= new ConnectionDone()',
  },
  {
    breaks: 'a peer that is cut short in the middle of a frame ends clean',
    file: connection,
    from: 'if (truncated !== undefined) this.#ending.truncated = truncated',
    to: 'void truncated',
  },
  {
    breaks: 'a client that ends its own side gets no answer any more',
    file: connection,
    from: 'if (goesOn) this.#call',
    to: 'if (goesOn && this.#output !== "open") this.#call',
  },
  {
    breaks: 'what is written after loseConnection is sent',
    file: connection,
    from: "if (this.#life === Life.open && this.#output === 'open') return true",
    to: "if (!this.disconnected && this.#output === 'open') return true",
  },
  /* ---------------------------------------------------------------- backpressure */
  {
    breaks: 'a paused producer is not resumed',
    file: connection,
    from: "if (this.#producerPaused) this.#soon('resumeProducing', () => this.#resumeProducer())",
    to: '',
  },
  {
    breaks: 'a producer is resumed while the queue has filled again',
    file: connection,
    from: 'if (!this.#producerPaused || this.queued > 0) return',
    to: 'if (!this.#producerPaused) return',
  },
  {
    breaks: 'a producer is paused again and again',
    file: connection,
    from: 'if (this.#producerPaused) return\n',
    to: '',
  },
  {
    breaks: 'loseConnection does not wait for the producer',
    file: connection,
    from: 'if (this.#producer !== undefined) return\n',
    to: '',
  },
  {
    breaks: 'a producer is not told that its connection is lost',
    file: connection,
    from: 'this.#drop()\n    this.stopProducer()',
    to: 'this.#drop()',
  },
  {
    breaks: 'a connection that stopped reading for want of room never reads again',
    file: connection,
    from: "if (this.#stalled) this.#soon('inputResumed', () => this.#goOn())",
    to: '',
  },
  {
    breaks: 'a paused connection is read from',
    file: connection,
    from: 'const heldBack = this.#protocol === undefined || this.#paused || this.#stalled',
    to: 'const heldBack = this.#protocol === undefined || this.#stalled',
  },
  {
    breaks: 'frames that were kept back in a pause stay there',
    file: connection,
    from: "if (!this.disconnecting && this.#protocol?.inputResumed !== undefined) this.#call('inputResumed')",
    to: '',
  },
  {
    breaks: 'a send queue grows to twice its limit',
    file: connection,
    from: 'if (before > 0 && queued > this.#maxSendQueue) {',
    to: 'if (before > 0 && queued > 2 * this.#maxSendQueue) {',
  },
  {
    breaks: 'who is asked much in one chunk goes on answering into a full queue',
    file: connection,
    from: 'return this.#paused || this.#stalled || this.#upgrade',
    to: 'return this.#paused || this.#upgrade',
  },
  {
    breaks: 'what is written in one turn waits for its end, however much it is',
    file: connection,
    from: 'queue.size >= mostGathered &&',
    to: 'queue.size < 0 &&',
  },
  {
    breaks: 'the rest of a chunk, in the middle of which answers were held back, stays there',
    file: connection,
    from: 'const returned = this.#protocol?.inputResumed?.()',
    to: 'const returned = undefined',
  },
  {
    breaks: 'who was held back never hears of the end that came meanwhile',
    file: connection,
    from: 'this.#tellOfFIN()\n    return returned',
    to: 'return returned',
  },
  {
    breaks: 'the end overtakes what a protocol that is held back has yet to hear',
    file: connection,
    from: 'if (!this.#losing && (this.#paused || this.#stalled || this.#protocol === undefined)) {',
    to: 'if (!this.#losing && (this.#paused || this.#protocol === undefined)) {',
  },
  {
    breaks: 'what a peer says behind our end is read for ever',
    file: connection,
    from: 'if (ending.discarded > mostDiscarded) this.#stopLingering()',
    to: '',
  },
  {
    breaks: 'a peer that talks on behind our end is cut off after a few chunks',
    file: connection,
    from: 'if (ending.discarded > mostDiscarded)',
    to: 'if (ending.discarded > mostDiscarded / 4)',
  },
  /* ---------------------------------------------------------------- queues, which are lent */
  {
    breaks: 'a queue is lent to the next one and kept as well',
    file: connection,
    from: 'this.#queue = undefined\n    if (queue !== undefined)',
    to: 'if (queue !== undefined)',
  },
  {
    breaks: 'a queue is lent to two at once',
    file: turn,
    from: 'return this.#queues.pop() ??',
    to: 'return this.#queues.at(-1) ??',
  },
  {
    breaks: 'a queue is given back while what was taken from it is on its way',
    file: connection,
    from: 'queue.size + queue.inFlight === 0) this.#returnQueue()',
    to: 'queue.size === 0) this.#returnQueue()',
  },
  {
    breaks: 'what an aborted connection had to say is said by the next one that writes',
    file: connection,
    from: 'this.#queue?.clear()\n',
    to: '',
  },
  {
    breaks: 'the queue of an aborted connection never leaves for the next one',
    file: queue,
    from: 'this.taken()\n    this.dirty = false',
    to: 'this.taken()',
  },
  /* ---------------------------------------------------------------- what waits to be sent */
  {
    breaks: 'a piece that leaves in two parts loses a byte between them',
    file: queue,
    from: 'this.#pieces[0] = next.subarray(room)',
    to: 'this.#pieces[0] = next.subarray(room + 1)',
  },
  {
    breaks: 'what waits for a full kernel stays in memory that others write to',
    file: queue,
    from: 'if (piece.length > copyLimit && !this.#held',
    to: 'if (piece.length > 0 || !this.#held',
  },
  {
    breaks: 'a run goes on where another connection has written',
    file: queue,
    from: 'if (this.#run === scratch && this.#runEnd === scratch.used) return scratch',
    to: 'if (this.#run === scratch) return scratch',
  },
  {
    breaks: 'what two connections have written into is free when one of them has sent',
    file: turn,
    from: 'if (--scratch.holders > 0) return',
    to: 'if (--scratch.holders > 1) return',
  },
  {
    breaks: 'what is written outside of any call leaves once, and then never again',
    file: turn,
    from: 'this.#awaitsEnd = false\n',
    to: '',
  },
  /* ---------------------------------------------------------------- timers */
  {
    breaks: 'to cancel a timer puts another one into the wrong place',
    file: timers,
    from: 'if (last !== undefined && last !== call) this.#settle(last, position)',
    to: 'if (last !== undefined && last !== call) this.#place(last, position)',
  },
  {
    breaks: 'a timer that was put off keeps its place',
    file: timers,
    from: 'this.#settle(call, call.position)',
    to: 'this.#rise(call, call.position)',
  },
  {
    breaks: 'timers of the same moment come in any order',
    file: timers,
    from: 'return one.time - other.time || one.order - other.order',
    to: 'return one.time - other.time || other.order - one.order',
  },
  {
    breaks: 'a cancelled timer is called',
    file: 'framework/core/clock.ts',
    from: 'this.#queue.remove(this)',
    to: '',
  },
]
