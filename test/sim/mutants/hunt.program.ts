/**
 * Holds the framework to all that the simulated world knows of it, with one seed after another, until something is
 * broken: `hunt.program.ts SEEDS`. Prints what that was as a line of JSON, or nothing.
 */
import { simTestWith } from 'couplet/sim'
import { transportContract } from 'couplet/testing'
import { adversities, simulatedNetwork } from '../simulated-transport.ts'
import { attempts, givenUp } from '../systems/attempts-system.ts'
import { conversing, observed } from '../systems/bridge-system.ts'
import { calls, client, draining } from '../systems/calling-system.ts'
import { chat } from '../systems/chat-system.ts'
import { wireFormats } from '../systems/format-system.ts'
import { idlers } from '../systems/idle-system.ts'
import { forward, heldBack } from '../systems/forwarding-system.ts'
import { longWinded, proxiedPoet, slowPoet, type System, transforms } from '../systems/poetry-system.ts'
import { stayingConnected } from '../systems/service-system.ts'
import { framing, policies } from '../systems/talking-system.ts'
import { timers } from '../systems/timer-system.ts'

/** What is broken, and with which seed. */
export interface Catch {
  readonly by: string
  readonly seed: number
  readonly why: string
}

/** Something that holds the framework to its promises, with a seed. */
interface Judge {
  readonly name: string
  /** Of all seeds, the part that it is tried with. One of the contract costs as much as many of the others. */
  readonly share: number
  readonly judge: (seed: number) => Promise<void>
}

function system<Operation>(name: string, { options, stage }: System<Operation>, share = 1): Judge {
  let body: () => Promise<void> = () => Promise.resolve()
  simTestWith((_name, run) => (body = run))(name, { ...options, mostRuns: 0 }, stage)
  return {
    name,
    share,
    judge(seed) {
      process.env['SIM_SEED'] = String(seed)
      return body()
    },
  }
}

const contract: Judge = {
  name: 'contract',
  share: 0.1,
  async judge(seed) {
    // Each adversity twice: what chance adds to them is little.
    if (seed >= 2 * adversities.length) return
    const adversity = adversities[seed % adversities.length]!
    const { name, options } = adversity
    const tests: (() => Promise<void>)[] = []
    const it = (test: string, body: () => Promise<void>): void => {
      tests.push(() =>
        body().catch((error: unknown) => {
          throw new Error(`${test}, ${name}: ${String(error)}`)
        }),
      )
    }
    transportContract(() => simulatedNetwork({ ...adversity, options: { ...options, seed } }), {
      describe: (_title, define) => define(),
      it: Object.assign(it, { skip: () => {} }),
    })
    for (const test of tests) await test()
  },
}

const judges = [
  system('slow poet', slowPoet),
  system('proxied poet', proxiedPoet),
  system('transforms', transforms),
  system('wire formats', wireFormats),
  system('framing', framing),
  system('policies', policies),
  system('chat', chat),
  system('calls', calls),
  system('client', client),
  system('draining', draining),
  system('forward', forward),
  system('held back', heldBack, 0.3),
  system('observed', observed),
  system('conversing', conversing),
  system('given up', givenUp),
  system('timers', timers),
  system('attempts', attempts),
  system('idlers', idlers),
  system('client service', stayingConnected),
  system('long poem', longWinded, 0.1),
  contract,
]

/** Each system with few seeds before one has many: most of what is wrong is so with almost any seed. */
async function hunt(seeds: number): Promise<Catch | undefined> {
  for (let [from, to] = [0, 1]; from < seeds; [from, to] = [to, Math.min(3 * to, seeds)]) {
    for (const { name, share, judge } of judges) {
      for (let seed = Math.ceil(from * share); seed < to * share; seed++) {
        try {
          await judge(seed)
        } catch (error) {
          const { cause = error } = error as Error
          return { by: name, seed, why: cause instanceof Error ? cause.message : String(error) }
        }
      }
    }
  }
  return undefined
}

const found = await hunt(Number(process.argv[2]))
if (found !== undefined) console.log(JSON.stringify(found))
