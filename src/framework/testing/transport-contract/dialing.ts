/**
 * The contract: connections are made, refused and given up, ports are opened and closed, and nothing is left behind.
 *
 * Ancestor: `twisted.internet.test.test_tcp.TCPClientTestsMixin` and `TCPPortTestsMixin`.
 */
import type { Address } from '../../core/address.ts'
import { attach } from '../../core/attach.ts'
import { CannotListenError, ConnectError, ConnectingCancelledError } from '../../core/errors.ts'
import { Factory } from '../../core/factory.ts'
import type { Accept, ListeningPort } from '../../core/listening-port.ts'
import type { ListenOptions } from '../../core/reactor.ts'
import type { Connection } from '../../core/transport.ts'
import type { Deferred } from '../../deferred/deferred.ts'
import type { Witness } from '../witness.ts'
import { claim, ended, oneOf, same } from './assertions.ts'
import type { Define, Stage } from './stage.ts'
import type { ContractNetwork } from './transport-world.ts'

/** Dials and listens, and at the end of a test leaves nothing open. */
class Harbour {
  readonly #stage: Stage
  readonly #network: ContractNetwork
  readonly #ports: ListeningPort[] = []

  constructor(stage: Stage) {
    this.#stage = stage
    this.#network = stage.network
  }

  /** Opens a port. Whoever comes in gets a witness, unless `accept` says otherwise. */
  async listen(accept?: Accept, options: ListenOptions & { readonly at?: Address } = {}): Promise<ListeningPort> {
    const { at = this.#network.anywhere(), ...others } = options
    const welcome: Accept = accept ?? ((connection) => connection.deliverTo(this.#stage.witness()))
    return this.keep(this.#network.server.listen(at, welcome, { ...this.#network.listenOptions, ...others }))
  }

  /** A port that the end of the test closes. */
  async keep(opened: Deferred<ListeningPort>): Promise<ListeningPort> {
    const port = await this.until(opened)
    this.#ports.push(port)
    return port
  }

  dial({ host }: ListeningPort): Deferred<Connection> {
    return this.#network.client.dial(host, this.#network.dialOptions)
  }

  /** Dials, and gives the connection a witness. */
  async connect(port: ListeningPort): Promise<Witness> {
    const witness = this.#stage.witness()
    const connection = await this.until(this.dial(port))
    connection.deliverTo(witness)
    return witness
  }

  /** Dials, and is told no: before it is connected or after, as it happens. */
  async isTurnedAway(port: ListeningPort, who: string): Promise<void> {
    const outcome = await this.until(
      this.dial(port).addCallbacks(
        (connection): Deferred<unknown> =>
          attach(
            Factory.forProtocol(() => this.#stage.witness()),
            connection,
          ).addBoth(() => connection.whenLost()),
        ({ value }): unknown => value,
      ),
    )
    if (outcome instanceof ConnectError) return
    claim(outcome instanceof Error, `${who} is told no`)
    oneOf<string>(outcome.name, this.#stage.brokenByPeer, `what ${who} is told`)
  }

  until<T>(outcome: PromiseLike<T>): Promise<T> {
    return this.#network.until(outcome)
  }

  /** What a Deferred fails with. */
  async failureOf(outcome: Deferred<unknown>): Promise<unknown> {
    const failure: Deferred<unknown> = outcome.addCallbacks(
      (value): unknown => new Error(`it did not fail: ${String(value)}`),
      ({ value }): unknown => value,
    )
    return this.until(failure)
  }

  /** So many trips through the client's reactor. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) {
      await this.until(new Promise<void>((resolve) => this.#network.client.callLater(0, resolve)))
    }
  }

  async close(): Promise<void> {
    for (const port of this.#ports) await this.until(port.stopListening({ drain: 0 }))
    await this.#stage.settle()
  }
}

export function dialsAndListens(test: Define): void {
  const define = (name: string, body: (harbour: Harbour, stage: Stage) => Promise<void>): void => {
    const inHarbour = async (stage: Stage): Promise<void> => {
      const harbour = new Harbour(stage)
      try {
        await body(harbour, stage)
      } finally {
        await harbour.close()
      }
    }
    test(name, inHarbour, 'network')
  }

  define('make connections, in a later turn, which nobody listens to yet', async (harbour, stage) => {
    const accepted: Connection[] = []
    const port = await harbour.listen((connection) => accepted.push(connection))
    const dialed = harbour.dial(port)
    same(dialed.called, false, 'whether dial fired before it returned')
    const connection = await harbour.until(dialed)
    await stage.settle()
    same([accepted.length, port.connections], [1, 1], 'connections that came in')
    same(String(connection.peer), String(port.host), 'whom we are connected to')
    same([connection.disconnecting, connection.disconnected], [false, false], 'disconnecting, disconnected')
    connection.abortConnection()
    accepted[0]?.abortConnection()
    await stage.settle()
    same(port.connections, 0, 'connections that are open at the end')
  })

  define('fail with a ConnectError that names the address where nobody listens', async (harbour) => {
    const port = await harbour.listen()
    await harbour.until(port.stopListening())
    const dialed = harbour.dial(port)
    same(dialed.called, false, 'whether dial failed before it returned')
    const error = await harbour.failureOf(dialed)
    claim(error instanceof ConnectError, `it is a ConnectError (it is: ${String(error)})`)
    claim(error.message.startsWith(`${port.host}: `), `"${error.message}" begins with the address`)
    same(String(error.address), String(port.host), 'its address')
  })

  const stages: readonly [when: string, turns: number][] = [
    ['at once', 0],
    ['a turn later', 1],
    ['two turns later', 2],
    ['five turns later', 5],
  ]
  for (const [when, turns] of stages) {
    define(`that is cancelled ${when}, leave nothing behind`, async (harbour, stage) => {
      // A server may find it worth a report that its peer went away in the middle of a handshake.
      stage.ignoreReports()
      const port = await harbour.listen()
      const dialed = harbour.dial(port)
      const outcome: Deferred<unknown> = dialed.addCallbacks(
        (connection): unknown => connection,
        ({ value }): unknown => value,
      )
      await harbour.turns(turns)
      dialed.cancel()
      await stage.settle()
      const made = await harbour.until(outcome)
      if (made instanceof ConnectingCancelledError) {
        claim(made.message.startsWith(`${port.host}: `), `"${made.message}" begins with the address`)
      } else {
        // It was too late to cancel: then it is a connection like any other.
        claim(turns > 0 && typeof made === 'object' && made !== null && 'deliverTo' in made, `${String(made)} is made`)
        ;(made as Connection).abortConnection()
        await stage.settle()
      }
      same(port.connections, 0, 'connections that are open at the end')
    })
  }

  define('that is cancelled while the server has it in its hands, leave nothing behind', async (harbour, stage) => {
    stage.ignoreReports()
    let cancel = (): void => {}
    const port = await harbour.listen((connection) => {
      connection.deliverTo(stage.witness())
      cancel()
    })
    const dialed = harbour.dial(port)
    cancel = () => dialed.cancel()
    const outcome = await harbour.until(
      dialed.addCallbacks(
        (connection): string => (connection.abortConnection(), 'connected'),
        ({ value }): string => (value as Error).name,
      ),
    )
    oneOf(outcome, ['connected', 'ConnectingCancelledError'], 'the outcome')
    await stage.settle()
    same(port.connections, 0, 'connections that are open at the end')
  })

  define('fail with CannotListenError at an address that is taken, and who has it goes on', async (harbour, stage) => {
    const port = await harbour.listen()
    const error = await harbour.failureOf(stage.network.server.listen(port.host, () => {}, stage.network.listenOptions))
    claim(error instanceof CannotListenError, `it is a CannotListenError (it is: ${String(error)})`)
    claim(error.message.startsWith(`${port.host}: `), `"${error.message}" begins with the address`)
    await harbour.connect(port)
    await stage.settle()
    same(port.connections, 1, 'connections that came in')
  })

  define('free the address with stopListening, for the next one', async (harbour, stage) => {
    const first = await harbour.listen()
    const [once, twice] = [first.stopListening(), first.stopListening()]
    await harbour.until(once)
    await harbour.until(twice)
    const second = await harbour.listen(undefined, { at: first.host })
    same(String(second.host), String(first.host), 'its address')
    await harbour.connect(second)
    await stage.settle()
    same([first.connections, second.connections], [0, 1], 'connections of the first and of the second')
  })

  define('leave open connections alone when the port closes, unless it is drained', async (harbour, stage) => {
    const far = stage.witness({ stopping: (self) => self.transport.write('goodbye') })
    const port = await harbour.listen((connection) => connection.deliverTo(far))
    const near = await harbour.connect(port)
    await stage.settle()
    await harbour.until(port.stopListening())
    far.transport.write('still here; ')
    await stage.settle()
    same(near.text, 'still here; ', 'what arrived')
    let isDrained = false
    const drained = port.stopListening({ drain: 60_000 }).addCallback(() => {
      isDrained = true
    })
    await stage.settle()
    same([near.text, isDrained], ['still here; goodbye', false], 'what arrived, and whether it is drained')
    far.transport.loseConnection()
    await harbour.until(drained)
    same(port.connections, 0, 'connections that are open at the end')
    await stage.settle()
    ended(near, 'ConnectionDone', 'the client')
  })

  define('abort what is still open at the deadline', async (harbour, stage) => {
    const far = stage.witness({ stopping() {} })
    const port = await harbour.listen((connection) => connection.deliverTo(far))
    const near = await harbour.connect(port)
    await stage.settle()
    await harbour.until(port.stopListening({ drain: 0 }))
    await stage.settle()
    ended(far, 'ConnectionAborted', 'the server')
    ended(near, stage.brokenByPeer, 'the client')
  })

  define('abort a connection whose accept throws, report it, and go on', async (harbour, stage) => {
    const error = new Error('not now')
    const far = stage.witness()
    let accepted = 0
    const port = await harbour.listen((connection) => {
      if (++accepted > 1) return connection.deliverTo(far)
      throw error
    })
    await harbour.isTurnedAway(port, 'the first client')
    stage.expectReported([error])
    const second = await harbour.connect(port)
    second.transport.write('hello')
    await stage.settle()
    same(far.text, 'hello', 'what arrived')
  })

  define('turn away whoever comes when maxConnections are open', async (harbour, stage) => {
    stage.ignoreReports()
    const port = await harbour.listen(undefined, { maxConnections: 1 })
    const first = await harbour.connect(port)
    await stage.settle()
    await harbour.isTurnedAway(port, 'the second client')
    same([port.connections, first.losses], [1, 0], 'connections that are open, and losses of the first')
    first.transport.loseConnection()
    await stage.settle()
    await harbour.connect(port)
    await stage.settle()
    same(port.connections, 1, 'connections when there is room again')
  })

  define('give each connection the protocol that the factory builds, or none', async (harbour, stage) => {
    const far = stage.witness()
    const error = new Error('no protocol today')
    let built = 0
    class Fickle extends Factory {
      override buildProtocol() {
        built++
        if (built === 2) return null
        if (built === 3) throw error
        return far
      }
    }
    const at = stage.network.anywhere()
    const { server, listenOptions } = stage.network
    const port = await harbour.keep(server.listenWith(at, new Fickle(), listenOptions))
    const welcome = await harbour.connect(port)
    welcome.transport.write('hello')
    await stage.settle()
    same(far.text, 'hello', 'what arrived')
    await harbour.isTurnedAway(port, 'whom the factory refuses')
    await harbour.isTurnedAway(port, 'whom the factory fails')
    stage.expectReported([error])
  })
}
