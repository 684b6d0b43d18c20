/** The contract of child processes in simulated worlds, where they are scripts. */
import { type Executables, Sim, type SimOptions } from 'couplet/sim'
import { describe } from 'vitest'
import { processContract, type ProcessWorld } from '../processes/contract.ts'
import { programs } from '../processes/programs.ts'

const executables: Executables = {
  ...Object.fromEntries(Object.entries(programs).map(([name, { sim }]) => [`/bin/${name}`, sim])),
  sh: () => {},
}

function simulated(options: SimOptions): ProcessWorld {
  const sim = new Sim({ maxEventsAtOnce: 1_000_000, ...options })
  const host = sim.host('host', { executables })
  const { reactor } = host
  return {
    reactor,
    command: (name) => [`/bin/${name}`],
    outcome: (deferred) => sim.runUntil(deferred),
    async until(happened) {
      for (let ms = 0; !happened(); ms++) {
        if (ms > 10_000) throw new Error(`it does not happen\n${sim.explain()}`)
        await sim.runFor(1)
      }
    },
    kill(pid) {
      host.children.find((child) => child.pid === pid)?.signal('SIGKILL')
    },
    left: () => ({ children: host.children.length, timers: reactor.pendingCalls().length }),
  }
}

const worlds: readonly [name: string, options: SimOptions][] = [
  ['whose things happen in order', {}],
  ['whose things happen in any order', { ties: 'shuffled', seed: 1 }],
  ['whose pipes are small, and deliver in pieces', { sendBuffer: 50_000, receiveBuffer: 30_000, delivery: 'random' }],
  ['whose pipes deliver all that is there', { delivery: 'joined', ties: 'shuffled', seed: 2 }],
]

describe.each(worlds)('in a simulated world %s,', (_, options) => {
  processContract(() => simulated(options))
})
