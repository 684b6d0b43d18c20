/** The contract of child processes where they are real: scripts for a shell. */
import { NodeReactor } from 'couplet/node'
import { describe } from 'vitest'
import { processContract } from '../processes/contract.ts'
import { programs } from '../processes/programs.ts'
import { until } from './loopback.ts'

describe('on Node,', () => {
  processContract(() => {
    const reactor = new NodeReactor()
    return {
      reactor,
      command: (name) => ['/bin/sh', ['-c', programs[name].sh]],
      outcome: async (deferred) => await deferred,
      until,
      kill: (pid) => void process.kill(pid, 'SIGKILL'),
      left: () => {
        const { children, timers } = reactor.stats()
        return { children, timers }
      },
    }
  })
})
