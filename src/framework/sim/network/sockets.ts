/**
 * What is open on a host: for tests that expect nothing to be left, and for whoever has to find out why something is.
 *
 * Ancestor: the command `netstat`, or `ss`.
 */
import type { SimHost } from '../sim-host.ts'
import type { SocketState } from './sim-connection.ts'

/** One socket; or one child process with its pipes, whose number is `local` and whose program is `remote`. */
export interface SocketInfo {
  readonly host: string
  readonly local: string
  readonly remote: string
  readonly state: SocketState | 'listening' | 'connecting' | 'datagrams' | 'running' | 'stopped'
  /**
   * Bytes that have arrived and were not read; for a listener: connections that wait to be accepted; for a child process:
   * bytes that it has written and nobody has read.
   */
  readonly unread: number
  /** Bytes that were written and are not on the wire, in the program and in the kernel; or that wait in its stdin. */
  readonly unsent: number
}

/** Listeners first, then attempts, connections, ports for datagrams, and child processes, each oldest first. */
export function socketsOf(machine: SimHost): SocketInfo[] {
  const host = machine.name
  const listeners = machine.ports.listeners().map((port) => {
    const state = 'listening' as const
    return { host, local: String(port.host), remote: '*', state, unread: port.waiting, unsent: 0 }
  })
  // One that is answered is a connection, even if its program is too busy to know.
  const asking = [...machine.attempts].filter(({ answered }) => !answered)
  const attempts = asking.map(({ address }) => {
    const state = 'connecting' as const
    return { host, local: '*', remote: String(address), state, unread: 0, unsent: 0 }
  })
  const connections = [...machine.ends].map((end) => {
    const unsent = end.queued + end.unsent
    return { host, local: String(end.host), remote: String(end.peer), state: end.state, unread: end.unread, unsent }
  })
  const datagrams = machine.datagramPorts.listeners().map((port) => {
    const state = 'datagrams' as const
    return { host, local: String(port.host), remote: String(port.peer ?? '*'), state, unread: port.unread, unsent: 0 }
  })
  const children = machine.children.map(({ pid, address, stopped, unread }): SocketInfo => {
    const state = stopped ? 'stopped' : 'running'
    return { host, local: `pid ${pid}`, remote: String(address), state, unread: unread.output, unsent: unread.stdin }
  })
  return [...listeners, ...attempts, ...connections, ...datagrams, ...children]
}

/** The same as lines of a table. */
export function socketTable(sockets: readonly SocketInfo[]): string[] {
  const rows = sockets.map(({ host, local, remote, state, unread, unsent }) => [
    host,
    local,
    remote,
    state,
    String(unread),
    String(unsent),
  ])
  const table = [['host', 'local', 'remote', 'state', 'unread', 'unsent'], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
