/**
 * Many short questions at once, long answers, and somebody who listens slowly: who answers is held back in the middle of
 * what it was asked, so that little waits, and every answer and the end are heard all the same.
 */
import {
  type Clock,
  type ConnectionClosed,
  ConnectionDone,
  equal,
  Factory,
  LineReceiver,
  NetstringReceiver,
  TCPClientEndpoint,
  toText,
  withPolicies,
} from 'couplet'
import { pattern } from 'couplet/testing'
import { forMuch } from './forwarding-system.ts'
import { nothingThatHangsUp, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

/** A question, by the length of its answer in bytes. */
interface Question {
  readonly length: number
}

const longest = 30_000
/** Milliseconds for which somebody thinks an answer over, and hears nothing. */
const thinks = 100
/** What a turn may gather, the answer that made it more, and a kernel's buffer. */
const mostKept = 128 * 1024 + longest + 65_536

const answerTo = (index: number, length: number): Uint8Array => pattern(length, 7 * index)

/** Asks everything at once, says that this was all, and thinks about each answer. */
class Asking extends NetstringReceiver {
  #next: number
  readonly #questions: readonly Question[]
  readonly #clock: Clock
  readonly #wrong: (what: string) => void
  readonly #over: (reason: ConnectionClosed, next: number) => void

  constructor(
    from: number,
    questions: readonly Question[],
    clock: Clock,
    wrong: (what: string) => void,
    over: (reason: ConnectionClosed, next: number) => void,
  ) {
    super()
    this.#next = from
    this.#questions = questions
    this.#clock = clock
    this.#wrong = wrong
    this.#over = over
  }

  override connectionMade(): void {
    const asked = this.#questions.map(({ length }, index) => `${index} ${length}\r\n`).slice(this.#next)
    this.transport.write(asked.join(''))
    this.transport.loseWriteConnection()
  }

  override stringReceived(answer: Uint8Array): void {
    const { length } = this.#questions[this.#next]!
    if (!equal(answer, answerTo(this.#next, length))) this.#wrong(`the answer to ${this.#next} is another one`)
    this.#next++
    this.pauseProducing()
    this.#clock.callLater(thinks, () => this.resumeProducing())
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#over(reason, this.#next)
  }
}

class Answering extends LineReceiver {
  override lineReceived(line: Uint8Array): void {
    const [index, length] = toText(line).split(' ').map(Number)
    this.transport.write(`${length}:`)
    this.transport.write(answerTo(index!, length!))
    this.transport.write(',')
  }
}

export const longAnswers: System<Question> = {
  options: {
    seeds: 100,
    faults: nothingThatHangsUp,
    operations: (random) =>
      Array.from({ length: random.between(1, 40) }, () => ({
        length: random.chance(1, 4) ? random.below(10) : random.below(longest),
      })),
    knobs: forMuch,
  },
  stage(sim, questions) {
    const watch = new Watch()
    const wrong: string[] = []
    const server = sim.host('server')
    server.run((reactor) => {
      const answering = Factory.forProtocol(() => new Answering())
      reactor.listenTCP(80, withPolicies(answering, watch.server))
    })
    const { reactor } = sim.host('client')
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    let answered = 0
    const ask = (): void => {
      const again = (): void => void reactor.callLater(1000, ask)
      const over = (reason: ConnectionClosed, next: number): void => {
        answered = next
        if (reason instanceof ConnectionDone && next < questions.length)
          wrong.push(`a clean end after ${next} of ${questions.length} answers`)
        if (next < questions.length) again()
      }
      const asking = Factory.forProtocol(
        () => new Asking(answered, questions, reactor, (what) => wrong.push(what), over),
      )
      endpoint.connect(withPolicies(asking, watch.client)).addErrback(again)
    }
    reactor.callLater(0, ask)
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('every answer is to its question', () => wrong[0])
    sim.invariant('who answers keeps little', () => {
      const most = Math.max(0, ...server.netstat().map(({ unsent }) => unsent))
      return most > mostKept ? `it keeps ${most} bytes` : undefined
    })
    sim.eventually('all questions are answered', () => answered === questions.length, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
