/** Many child processes, of every kind, one after the other and some at a time; nothing of them may be left. */
import { readdirSync, readFileSync } from 'node:fs'
import { ProcessDone, type ProcessEnding, SpawnError } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { expect } from 'vitest'
import { turns, until } from './loopback.ts'
import { Witness } from '../processes/witness.ts'
import { script } from './processes.ts'

type Run = (reactor: NodeReactor) => Promise<void>

/** What a process may be like, and how it has to end. */
const kinds: readonly Run[] = [
  async (reactor) => {
    await ends(reactor, 'exit 0', (ending) => expect(ending).toBeInstanceOf(ProcessDone))
  },
  async (reactor) => {
    await ends(reactor, 'exit 9', (ending) => expect(ending).toMatchObject({ exitCode: 9 }))
  },
  async (reactor) => {
    await expect(reactor.spawnProcess(new Witness(), '/no/such/program')).rejects.toBeInstanceOf(SpawnError)
  },
  async (reactor) => {
    const tooMuch = ['x'.repeat(3_000_000)]
    await expect(reactor.spawnProcess(new Witness(), '/bin/true', tooMuch)).rejects.toBeInstanceOf(SpawnError)
  },
  async function floods(reactor) {
    const flood = await ends(reactor, 'exec head -c 300000 /dev/zero')
    expect(flood.out.length).toBe(300_000)
  },
  async function ignoresSIGTERM(reactor) {
    const [seen, child] = await script(new Witness(), 'trap "" TERM; echo ready; exec sleep 1000', {}, reactor)
    await until(() => seen.out !== '')
    await child.terminate({ killAfter: 5 })
    expect(await child.whenEnded()).toMatchObject({ signal: 'SIGKILL' })
  },
]

async function ends(reactor: NodeReactor, text: string, check?: (ending: ProcessEnding) => void): Promise<Witness> {
  const [seen, child] = await script(new Witness(), text, {}, reactor)
  check?.(await child.whenEnded())
  await child.whenEnded()
  expect(seen.calls.at(-1)).toBe('processEnded')
  return seen
}

/** Runs so many of them, a few at a time, and looks at what is left: descriptors, timers, pipes, processes. */
export async function runMany(count: number): Promise<void> {
  const reactor = new NodeReactor()
  await Promise.all(kinds.map((run) => run(reactor)))
  const before = await inUse()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await kinds[next++ % kinds.length]?.(reactor)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  expect(next).toBe(count)
  expect(reactor.stats()).toMatchObject({ open: 0, timers: 0, children: 0 })
  // What the test runner does at the moment goes by; what we have left stays.
  for (let look = 0; look < 100 && moreThan(before, await inUse()).length > 0; look++) await turns(20)
  expect(moreThan(before, await inUse())).toEqual([])
}

/** What is in use now and was not before. */
function moreThan(before: InUse, now: InUse): string[] {
  const left = [...now.resources, ...now.children.map((pid) => `process ${pid}`)]
  for (const one of [...before.resources, ...before.children.map((pid) => `process ${pid}`)])
    if (left.includes(one)) left.splice(left.indexOf(one), 1)
  if (now.descriptors > before.descriptors) left.push(`${now.descriptors - before.descriptors} descriptors`)
  return left
}

interface InUse {
  readonly descriptors: number
  readonly resources: readonly string[]
  /** Of this process, zombies too. */
  readonly children: readonly string[]
}

async function inUse(): Promise<InUse> {
  await turns(20)
  const linux = process.platform === 'linux'
  return {
    descriptors: linux ? readdirSync('/proc/self/fd').length : 0,
    // The test runner has timers of its own; ours are counted by the reactor.
    resources: process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate'),
    children: linux ? readdirSync('/proc').filter((pid) => parentOf(pid) === process.pid) : [],
  }
}

function parentOf(pid: string): number | undefined {
  try {
    // The name of the program, in parentheses, may hold anything.
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return Number(parent)
  } catch {
    return undefined
  }
}
