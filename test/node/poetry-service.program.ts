/**
 * A program made of services: a slow poet, a client that stays connected to it, and a timer. On its way out it says
 * what of the system it still holds, beyond what it had before it started.
 */
import { readdirSync, writeSync } from 'node:fs'
import {
  ClientService,
  clientFromString,
  EndpointService,
  Factory,
  MultiService,
  Protocol,
  runService,
  serverFromString,
  TimerService,
  toBytes,
} from 'couplet'
import { react } from 'couplet/node'
import { PoetryFactory } from 'couplet/poetry'

/** A poet that does not stop when it is asked to, and says which process it is of. */
class Stubborn extends Protocol {
  override connectionMade(): void {
    this.transport.write(String(process.pid))
  }
  override stopping(): void {
    console.log('asked to stop')
  }
}

function held(): string[] {
  const files = process.platform === 'linux' ? readdirSync('/proc/self/fd').map(() => 'file') : []
  // Reading a file is what the loader of sources does, whenever it likes.
  const resources = process.getActiveResourcesInfo().filter((resource) => resource !== 'FSReqCallback')
  return [...resources, ...files]
}

const before = held()
process.on('exit', () => {
  const left = held()
  for (const one of before) if (left.includes(one)) left.splice(left.indexOf(one), 1)
  writeSync(1, `left: ${left.join(' ') || 'nothing'}\n`)
})

react(
  (reactor, kind = 'poet') => {
    const poem = toBytes('so much depends upon a red wheel barrow\n'.repeat(1000))
    const poets =
      kind === 'poet' ? new PoetryFactory(reactor, poem, { delay: 20 }) : Factory.forProtocol(() => new Stubborn())
    const server = new EndpointService(serverFromString(reactor, 'tcp:0:interface=127.0.0.1'), poets, { drain: 60_000 })
    const program = new MultiService()
    program.addService(new TimerService(reactor, 10, () => undefined))
    program.addService(server)
    // Before it stops: whoever sends the second signal wants to know that the first one has come.
    if (kind !== 'poet') void reactor.whenStopped().addCallback(() => console.log('told to stop'))
    const ran = runService(reactor, program)
    void server.startService().addCallback(() => {
      const here = String(server.port?.host)
      const endpoint = clientFromString(reactor, `tcp:${here}`)
      program.addService(
        new ClientService(
          reactor,
          endpoint,
          Factory.forProtocol(() => new Listener()),
        ),
      )
      console.log(`listening on ${here}`)
    })
    return ran
  },
  undefined,
  { drain: 60_000 },
)

/** Somebody who listens to the end. */
class Listener extends Protocol {}
