/**
 * Holds the framework to all that the simulated world knows of it, with one seed after another, until something is
 * broken: `hunt.program.ts SEEDS`. Prints what that was as a line of JSON, or nothing.
 */
import type { TLSVersion } from 'couplet'
import { simTestWith } from 'couplet/sim'
import { transportContract } from 'couplet/testing'
import { adversities, simulatedNetwork } from '../simulated-transport.ts'
import { longAnswers } from '../systems/answers-system.ts'
import { attempts, givenUp } from '../systems/attempts-system.ts'
import { conversing, observed } from '../systems/bridge-system.ts'
import { calls, client, draining } from '../systems/calling-system.ts'
import { chat } from '../systems/chat-system.ts'
import { datagrams } from '../systems/datagram-system.ts'
import { wireFormats } from '../systems/format-system.ts'
import { household } from '../systems/household-system.ts'
import { idlers } from '../systems/idle-system.ts'
import { forward, heldBack } from '../systems/forwarding-system.ts'
import { longWinded, proxiedPoet, slowPoet, type System, transforms } from '../systems/poetry-system.ts'
import { secured } from '../systems/secured-system.ts'
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

/** @param times how often each adversity is tried: what chance adds to them is little */
function contract(name: string, times: number, tls?: TLSVersion): Judge {
  return {
    name,
    share: 0.1,
    async judge(seed) {
      if (seed >= times * adversities.length) return
      const adversity = adversities[seed % adversities.length]!
      const options = { ...adversity.options, seed }
      const tests: (() => Promise<void>)[] = []
      const it = (test: string, body: () => Promise<void>): void => {
        tests.push(() =>
          body().catch((error: unknown) => {
            throw new Error(`${test}, ${adversity.name}: ${String(error)}`)
          }),
        )
      }
      transportContract(() => simulatedNetwork({ ...adversity, options }, tls), {
        describe: (_title, define) => define(),
        it: Object.assign(it, { skip: () => {} }),
      })
      for (const test of tests) await test()
    },
  }
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
  system('long answers', longAnswers, 0.3),
  system('secured', secured),
  system('datagrams', datagrams),
  system('household', household),
  system('observed', observed),
  system('conversing', conversing),
  system('given up', givenUp),
  system('timers', timers),
  system('attempts', attempts),
  system('idlers', idlers),
  system('client service', stayingConnected),
  system('long poem', longWinded, 0.1),
  contract('contract', 2),
  contract('over TLS', 1, 'TLSv1.3'),
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
