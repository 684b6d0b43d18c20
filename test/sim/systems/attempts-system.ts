/**
 * Attempts to connect to a name with several addresses, some of them dead, by people who lose patience: each comes to an
 * end in its time, and of what was given up nothing is left.
 */
import {
  CancelledError,
  ConnectingCancelledError,
  Factory,
  HostnameEndpoint,
  Protocol,
  TCPClientEndpoint,
  withPolicies,
} from 'couplet'
import { serve, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

interface Try {
  readonly at: number
  /** Milliseconds until somebody cancels it. */
  readonly patience: number
  /** Which of the three addresses the name has, in their order. */
  readonly addresses: readonly number[]
}

const timeout = 10_000
const places = ['10.9.0.1', 'fd00::9', '10.9.0.3']

export const attempts: System<Try> = {
  options: {
    seeds: 150,
    // Not what stops the client itself: it should be in time.
    faults: ['partition', 'hold', 'slow', 'name', 'reset'],
    operations: (random) =>
      Array.from({ length: random.between(1, 6) }, () => ({
        at: random.below(30) * 1000,
        patience: random.pick([100, 400, 3000, 20_000]),
        addresses: [0, 1, 2].filter(() => random.chance(2, 3)).sort(() => (random.chance(1, 2) ? 1 : -1)),
      })),
  },
  stage(sim, tries) {
    // Only one of the three is there; who asks another one is not even refused.
    const server = sim.host('server', { addresses: [places[1]!] })
    for (const place of [0, 2]) sim.host(`dead ${place}`, { addresses: [places[place]!] }).crash('power')
    server.run((reactor) =>
      reactor.listenTCP(
        80,
        Factory.forProtocol(() => new (class extends Protocol {})()),
        { interface: '::' },
      ),
    )
    const client = sim.host('client', { addresses: ['10.9.9.9', 'fd00::99'] })
    const { reactor } = client
    const wrong: string[] = []
    let open = 0
    for (const [index, { at, patience, addresses }] of tries.entries()) {
      const name = `name ${index}`
      sim.name(
        name,
        addresses.map((place) => places[place]!),
      )
      sim.after(at, () => {
        open++
        let settled = false
        const greeting = Factory.forProtocol(
          () =>
            new (class extends Protocol {
              override connectionMade(): void {
                open++
                this.transport.abortConnection()
              }
              override connectionLost(): void {
                open--
              }
            })(),
        )
        const attempt = new HostnameEndpoint(reactor, name, 80, { timeout }).connect(greeting).addBoth(() => {
          settled = true
          open--
        })
        sim.after(Math.min(patience, timeout) + 1, () => {
          if (patience < timeout) attempt.cancel()
          if (!settled) wrong.push(`${name} has not come to an end`)
        })
      })
    }
    sim.invariant('attempts end in their time', () => wrong[0])
    sim.invariant('of what was given up nothing is left', () => {
      const sockets = client.netstat().filter(({ state }) => state === 'connecting' || state === 'open').length
      const timers = reactor.pendingCalls().length
      return open === 0 && sockets + timers > 0 ? `${sockets} sockets and ${timers} timers` : undefined
    })
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}

interface Visit {
  readonly at: number
  readonly stays: number
}

/** Attempts that are given up at any moment: each settles once, as was asked for, and no connection is left of it. */
export const givenUp: System<Visit> = {
  options: {
    seeds: 250,
    operations: (random) =>
      Array.from({ length: random.between(1, 12) }, () => ({
        at: random.below(60_000),
        stays: random.chance(1, 2) ? random.below(50) : random.below(40_000),
      })),
  },
  stage(sim, list) {
    const wrong: string[] = []
    const watch = new Watch()
    class Idle extends Protocol {
      made = false

      override connectionMade(): void {
        this.made = true
      }
    }
    sim.host('server').run((reactor) =>
      serve(
        reactor,
        80,
        withPolicies(
          Factory.forProtocol(() => new Idle()),
          watch.server,
        ),
      ),
    )
    const { reactor } = sim.host('client')
    let open = list.length
    for (const { at, stays } of list) {
      reactor.callLater(at, () => {
        let settled = 0
        let cancelled = false
        let protocol: Idle | undefined
        const attempt = new TCPClientEndpoint(reactor, 'server', 80).connect(
          withPolicies(
            Factory.forProtocol(() => new Idle()),
            watch.client,
          ),
        )
        const settle = (): void => {
          open--
          if (++settled > 1) wrong.push(`an attempt settled ${settled} times`)
        }
        attempt.addCallbacks(
          (made) => {
            settle()
            if (cancelled) wrong.push('a connection came of an attempt that was given up')
            protocol = made
          },
          ({ value }) => {
            settle()
            const isCancelled = value instanceof CancelledError || value instanceof ConnectingCancelledError
            if (cancelled && !isCancelled) wrong.push(`given up, and failed with ${String(value)}`)
            if (!cancelled && isCancelled) wrong.push('cancelled by nobody')
          },
        )
        reactor.callLater(stays, () => {
          if (protocol !== undefined) protocol.transport.loseConnection()
          else if (settled === 0) {
            cancelled = true
            attempt.cancel()
            if (settled === 0) wrong.push('an attempt that was given up did not settle')
          }
        })
      })
    }
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('every attempt settles once, as was asked for', () => wrong[0])
    sim.eventually('all have settled', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
