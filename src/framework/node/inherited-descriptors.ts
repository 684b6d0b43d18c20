/**
 * Sockets that somebody else has opened and left to this process: which there are, by systemd's convention, and why one
 * of them cannot be used.
 *
 * Ancestor: `ListenFDs` of `twisted.python.systemd`; the convention is that of sd_listen_fds(3).
 */
import { fstatSync } from 'node:fs'
import { DescriptorAddress } from '../core/address.ts'
import { codeOf } from './system-errors.ts'

/** The first of them, always. */
const start = 3
const most = 1024

/**
 * What the environment says was passed, and takes it out of there, so that no child process believes that it was meant.
 *
 * @param pid this process; what was passed to another one is none of ours, and stays in the environment
 */
export function takeDescriptors(env: NodeJS.ProcessEnv, pid: number): readonly DescriptorAddress[] {
  const { LISTEN_PID: whose, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env
  if (whose !== String(pid) || count === undefined || !/^\d{1,4}$/.test(count) || Number(count) > most) return []
  delete env['LISTEN_PID']
  delete env['LISTEN_FDS']
  delete env['LISTEN_FDNAMES']
  const named = names?.split(':') ?? []
  return Array.from({ length: Number(count) }, (_, index) => new DescriptorAddress(start + index, named[index]))
}

let inherited: readonly DescriptorAddress[] | undefined

/** The environment of this process is asked once, whichever reactor asks. */
export function inheritedDescriptors(): readonly DescriptorAddress[] {
  return (inherited ??= takeDescriptors(process.env, process.pid))
}

/** Why nobody can listen there, as far as that can be seen before it is tried. */
export function whyNoSocket({ descriptor }: DescriptorAddress): string | undefined {
  if (!Number.isInteger(descriptor) || descriptor < 0) return 'a descriptor is a whole number, 0 or more'
  try {
    return fstatSync(descriptor).isSocket() ? undefined : 'this open file is not a socket'
  } catch (error) {
    if (codeOf(error) !== 'EBADF') throw error
    return 'this process has no such file open (or has listened there before: stopping closes it)'
  }
}

/** Why nobody can listen at a socket, from the error of the attempt. */
export function whyNotAdopted(error: Error): string {
  switch (codeOf(error)) {
    case 'EEXIST':
      return 'this process uses this socket already'
    case 'EINVAL':
      return 'this socket takes no connections (it is one itself, or one for datagrams)'
    default:
      return error.message
  }
}
