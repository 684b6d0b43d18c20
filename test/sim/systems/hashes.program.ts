/** Prints the hashes of a hundred runs, a line each: the same lines on every version of Node, and in a browser. */
import { type SimRun, simTestWith } from 'couplet/sim'
import { proxiedPoet, slowPoet, type System, transforms } from './poetry-system.ts'

async function print<Operation>(name: string, seeds: number, { options, stage }: System<Operation>): Promise<void> {
  let body: () => Promise<void> = () => Promise.resolve()
  const ran = ({ scenario, hash, events, ms }: SimRun<Operation>): void =>
    console.log(`${name} ${scenario.seed} ${hash} ${events} events ${ms} ms`)
  simTestWith((_name, run) => (body = run))(name, { ...options, seeds, ran }, stage)
  await body()
}

await print('poet', 40, slowPoet)
await print('proxy', 30, proxiedPoet)
await print('transforms', 30, transforms)
