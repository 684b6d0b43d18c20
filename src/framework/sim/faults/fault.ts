/**
 * What may go wrong in a simulated world, as plain data: it can be printed, pasted, generated, and left out one by one.
 *
 * No ancestor; the kinds are those of FoundationDB's simulation, TigerBeetle's VOPR, turmoil and toxiproxy.
 */
import type { CrashKind } from '../sim-host.ts'
import type { NameAnswer } from '../network/name-service.ts'

/** Something between two hosts, for some time. @inline */
interface OnLink {
  readonly between: readonly [one: string, other: string]
  /** Only from the first to the second. */
  readonly oneWay?: boolean
  readonly for: number
}

/** Something that happens to a host, for some time. @inline */
interface OnHost {
  readonly host: string
  readonly for: number
}

/** Something that happens to one of the connections that are open then. @inline */
interface OnConnection {
  /** Which one: counted from the oldest, and round again if there are fewer. If there is none, nothing happens. */
  readonly pick: number
}

/** What goes wrong, without when. */
export type Trouble =
  /** Everything gets lost. */
  | ({ readonly kind: 'partition' } & OnLink)
  /** Everything waits, and arrives in order when it is over. */
  | ({ readonly kind: 'hold' } & OnLink)
  /** Everything takes so many times as long, and no more than so many bytes a second pass. */
  | ({ readonly kind: 'slow'; readonly times?: number; readonly bandwidth?: number } & OnLink)
  /** The links between these hosts are held one after another, and let go in another order. */
  | { readonly kind: 'swizzle'; readonly hosts: readonly string[]; readonly for: number }
  /** Something on the way resets the connection: for one end, or for both unless given. */
  | ({ readonly kind: 'reset'; readonly side?: 'client' | 'server' } & OnConnection)
  /** The connection is reset when so many bytes more have arrived at that end. */
  | ({ readonly kind: 'cut'; readonly after: number; readonly side: 'client' | 'server' } & OnConnection)
  /** The program ends, and is started again when it is over. */
  | ({ readonly kind: 'crash'; readonly how: CrashKind } & OnHost)
  /** The program stands still; or the child processes of the host that run this executable. */
  | ({ readonly kind: 'pause'; readonly executable?: string } & OnHost)
  /** The child processes of a host that run this executable are killed, or all of them. Nobody starts them again. */
  | { readonly kind: 'kill'; readonly host: string; readonly executable?: string }
  /** The program computes. */
  | ({ readonly kind: 'busy' } & OnHost)
  /** The program may have so many sockets open. */
  | ({ readonly kind: 'descriptors'; readonly limit: number } & OnHost)
  /** Its date is wrong by so many milliseconds more; behind, if negative. */
  | ({ readonly kind: 'clock'; readonly by: number } & OnHost)
  /** Whoever looks this name up gets this answer. */
  | { readonly kind: 'name'; readonly name: string; readonly answer: NameAnswer; readonly for: number }

/** What goes wrong, and when: in milliseconds from the beginning of the world, or from now on if that is past. */
export type Fault = { readonly at: number } & Trouble

/** The names of the hosts that a fault is about. */
export function hostsOf(fault: Fault): readonly string[] {
  if ('between' in fault) return fault.between
  if ('hosts' in fault) return fault.hosts
  return 'host' in fault ? [fault.host] : []
}
