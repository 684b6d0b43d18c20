/**
 * Many clients at once, and who answered how many of them: `npm run example -- scale-out/spread tcp:127.0.0.1:8000 64`.
 */
import {
  clientFromString,
  type ConnectionClosed,
  connectProtocol,
  Deferred,
  gatherResults,
  TextLineReceiver,
} from 'couplet'
import { react } from 'couplet/node'

class Question extends TextLineReceiver {
  readonly #answer = new Deferred<string>()

  override connectionMade() {
    this.sendLine('who are you?')
  }

  override lineReceived(line: string) {
    this.#answer.callback(line)
    this.transport.loseConnection()
  }

  override connectionLost(reason: ConnectionClosed) {
    if (!this.#answer.called) this.#answer.errback(reason)
  }

  answered() {
    return this.#answer
  }
}

react(async (reactor, text = 'tcp:127.0.0.1:8000', clients = '64') => {
  const endpoint = clientFromString(reactor, text)
  const ask = () => connectProtocol(endpoint, new Question()).addCallback((question) => question.answered())
  const answers = await gatherResults(Array.from({ length: Number(clients) }, ask))
  const counts = new Map<string, number>()
  for (const [who = ''] of answers.map((answer) => answer.split(' '))) counts.set(who, (counts.get(who) ?? 0) + 1)
  for (const [who, count] of counts) console.log(`${who} answered ${count}`)
})
