/**
 * What is open on a host: for tests that expect nothing to be left, and for whoever has to find out why something is.
 *
 * Ancestor: the command `netstat`, or `ss`.
 */
import type { Address } from '../../core/address.ts'
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
  const sockets: SocketInfo[] = []
  const add = (
    state: SocketInfo['state'],
    local: Address | string,
    remote: Address | string,
    unread: number,
    unsent: number,
  ): void => {
    sockets.push({ host: machine.name, local: String(local), remote: String(remote), state, unread, unsent })
  }
  for (const port of machine.ports.listeners()) add('listening', port.host, '*', port.waiting, 0)
  for (const { address, answered } of machine.attempts) {
    // One that is answered is a connection, even if its program is too busy to know.
    if (!answered) add('connecting', '*', address, 0, 0)
  }
  for (const end of machine.ends) add(end.state, end.host, end.peer, end.unread, end.queued + end.unsent)
  for (const port of machine.datagramPorts.listeners()) add('datagrams', port.host, port.peer ?? '*', port.unread, 0)
  for (const { pid, address, stopped, unread } of machine.children) {
    add(stopped ? 'stopped' : 'running', `pid ${pid}`, address, unread.output, unread.stdin)
  }
  return sockets
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
