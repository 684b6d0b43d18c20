/**
 * A server to run several times: it answers every line with who it is and whom it talks to. Where it listens is a text,
 * and nothing else of it changes however many of it there are: `npm run example -- scale-out/server`.
 *
 * Try: `tcp:8000:reusePort=1`, `haproxy:trusted=127.0.0.1:tcp:8001`, `systemd:name=lines`. See docs/scale-out.md.
 */
import { EndpointService, Factory, runService, serverFromString, TextLineReceiver } from 'couplet'
import { react } from 'couplet/node'

class Answers extends TextLineReceiver {
  #last = false

  override lineReceived(line: string) {
    this.sendLine(`${process.pid} to ${this.transport.peer}: ${line}`)
    if (this.#last) this.transport.loseConnection()
  }

  // A question may be on its way, so there is one more answer, and then goodbye.
  override stopping() {
    this.#last = true
  }
}

react(
  async (reactor, endpoint = 'tcp:8000:interface=127.0.0.1') => {
    const answers = Factory.forProtocol(() => new Answers())
    const service = new EndpointService(serverFromString(reactor, endpoint), answers, { drain: 10_000 })
    await service.startService()
    console.log(`${process.pid} listens on ${service.port?.host}`)
    await runService(reactor, service)
  },
  undefined,
  { drain: 10_000 },
)
