/**
 * How each kind of fault begins, and how it ends.
 *
 * No ancestor.
 */
import type { Network } from '../network/network.ts'
import { once } from '../network/path.ts'
import type { SimConnection } from '../network/sim-connection.ts'
import type { Link } from '../network/link.ts'
import type { ScriptedProcess } from '../processes/scripted-process.ts'
import type { SimHost } from '../sim-host.ts'
import type { Fault } from './fault.ts'

/** What faults happen to. */
export interface Afflicted {
  readonly network: Network
  link(one: string, other: string): Link
  host(name: string): SimHost
  /** Calls `f` in so many milliseconds. @returns a function that takes it back */
  later(ms: number, f: () => void): () => void
}

/**
 * Lets a fault begin.
 *
 * @returns a function that ends it; it may be called more than once
 */
export function begin(world: Afflicted, fault: Fault): () => void {
  switch (fault.kind) {
    case 'partition':
      return linkOf(world, fault).partition()
    case 'hold':
      return linkOf(world, fault).hold()
    case 'slow':
      return linkOf(world, fault).slow(fault)
    case 'swizzle':
      return swizzle(world, fault.hosts, fault.for, `${fault.at}`)
    case 'reset':
      resetOne(picked(world, fault.pick), fault.side)
      return () => {}
    case 'cut':
      endOf(picked(world, fault.pick), fault.side)?.cutAfter(fault.after)
      return () => {}
    case 'crash':
      return crash(world.host(fault.host), () => world.host(fault.host).crash(fault.how))
    case 'pause':
      return fault.executable === undefined ? pause(world.host(fault.host)) : stop(world.host(fault.host), fault)
    case 'kill':
      for (const child of childrenOf(world.host(fault.host), fault)) child.signal('SIGKILL')
      return () => {}
    case 'busy':
      world.host(fault.host).busy(fault.for)
      return () => {}
    case 'descriptors':
      return world.host(fault.host).limitDescriptors(fault.limit)
    case 'clock':
      return world.host(fault.host).setClock(fault.by)
    default:
      return world.network.names.afflict(fault.name, fault.answer)
  }
}

function linkOf(
  world: Afflicted,
  { between: [one, other], oneWay }: Fault & { kind: 'partition' | 'hold' | 'slow' },
): Link {
  const link = world.link(one, other)
  return oneWay === true ? link.oneWay : link
}

/** Who is down already stays so until what brought it down is over. */
function crash(host: SimHost, begins: () => void): () => void {
  if (host.crashed) return () => {}
  begins()
  return once(() => host.restart())
}

function pause(host: SimHost): () => void {
  if (host.paused || host.crashed) return () => {}
  host.pause()
  const { process } = host
  return once(() => {
    // The one that was stopped may have been killed since.
    if (host.process === process && !process.dead) host.resume()
  })
}

function stop(host: SimHost, which: { executable?: string }): () => void {
  const stopped = childrenOf(host, which).filter((child) => !child.stopped)
  for (const child of stopped) child.signal('SIGSTOP')
  return once(() => {
    for (const child of stopped) child.signal('SIGCONT')
  })
}

function childrenOf({ children }: SimHost, { executable }: { executable?: string }): readonly ScriptedProcess[] {
  return children.filter(({ address }) => executable === undefined || address.executable === executable)
}

function picked({ network }: Afflicted, pick: number): SimConnection | undefined {
  const open = [...network.connections]
  return open[pick % open.length]
}

function endOf(connection: SimConnection | undefined, side: 'client' | 'server'): SimConnection | undefined {
  return side === 'client' ? connection : connection?.otherEnd
}

function resetOne(connection: SimConnection | undefined, side: 'client' | 'server' | undefined): void {
  const other = connection?.otherEnd
  if (side !== 'server') connection?.isReset()
  if (side !== 'client') other?.isReset()
  // Where only one of them was told, the other one has to find out.
  connection?.wonders()
  other?.wonders()
}

/** Holds the links one by one in the first half of the time, and lets them go in another order in the second. */
function swizzle(world: Afflicted, hosts: readonly string[], ms: number, name: string): () => void {
  const random = world.network.random(`fault:swizzle:${name}:${hosts.join()}`)
  const half = Math.floor(ms / 2)
  const ends: (() => void)[] = []
  for (const [index, one] of hosts.entries()) {
    for (const other of hosts.slice(index + 1)) {
      let release = (): void => {}
      const holds = world.later(random.between(0, half), () => {
        release = world.link(one, other).hold()
      })
      const releases = world.later(random.between(half, ms), () => release())
      ends.push(holds, releases, () => release())
    }
  }
  return () => ends.forEach((end) => end())
}
