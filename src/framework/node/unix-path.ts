/**
 * Sockets in the file system: how long their paths may be, who may use them, and what to do about one that a dead server
 * has left behind.
 *
 * Ancestor: `twisted.internet.unix.Port`, whose lock file is not needed: whoever still listens answers.
 */
import { chmodSync, existsSync, lstatSync, type Stats, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { UNIXAddress } from '../core/address.ts'
import { Deferred } from '../deferred/deferred.ts'

/** So many bytes fit into a socket's address, the zero at its end left out. */
const longestPath = process.platform === 'linux' ? 107 : 103

/** Why no socket can be at this path, if so. Node before 24 takes the first 107 bytes, which is another path. */
export function whyNoPath({ path }: UNIXAddress): string | undefined {
  const length = Buffer.byteLength(path)
  if (length === 0) return 'the path is empty'
  if (path.includes('\0')) return 'the path has a zero byte in it'
  if (length <= longestPath) return undefined
  return `the path of a socket has ${longestPath} bytes at most, this one has ${length} (use a shorter directory)`
}

/** Whether a socket can be made beside others there. libuv calls a directory that does not exist a forbidden one. */
export function hasDirectory({ path }: UNIXAddress): boolean {
  return existsSync(dirname(path))
}

/**
 * Makes room at a path that is in use: removes the socket of a server that is dead, and nothing else.
 *
 * @returns fires with why the path has to be left alone, or with nothing if it is free now
 */
export function takeOver({ path }: UNIXAddress): Deferred<string | undefined> {
  const answer = new Deferred<string | undefined>()
  const found = look(path)
  if (found === undefined) {
    answer.callback(undefined)
  } else if (!found.isSocket()) {
    answer.callback('there is something else at this path, which is left alone (remove it if it is not needed)')
  } else {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      answer.callback('somebody listens at this path (is the server running already?)')
    })
    probe.once('error', (error) => answer.callback(removeIfDead(path, found, error)))
  }
  return answer
}

function removeIfDead(path: string, found: Stats, error: Error): string | undefined {
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ENOENT') return undefined
  if (code !== 'ECONNREFUSED') return `whether the socket at this path is in use cannot be told: ${error.message}`
  const us = process.getuid?.()
  if (us !== undefined && us !== 0 && found.uid !== us) return "the socket at this path is dead, and another user's"
  // It may have been replaced while we asked.
  const now = look(path)
  if (now !== undefined && (now.ino !== found.ino || now.dev !== found.dev)) return 'somebody else is taking this path'
  try {
    if (now !== undefined) unlinkSync(path)
    return undefined
  } catch (failure) {
    return `the socket at this path is dead, and cannot be removed: ${(failure as Error).message}`
  }
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

/**
 * Runs `bind`, which makes a socket at `path`, so that nobody without permission gets in, not even for the moment before
 * its permissions are set.
 */
export function bindWithMode(path: string, mode: number, bind: () => void): void {
  let before: number | undefined
  try {
    before = process.umask(0o777 & ~mode)
  } catch {
    // A worker thread cannot; there the permissions come a moment later.
  }
  try {
    bind()
  } finally {
    if (before !== undefined) process.umask(before)
    else if (look(path)?.isSocket() === true) chmodSync(path, mode)
  }
}
