/**
 * The programs that can be started as child processes on a simulated host, by their names.
 *
 * No ancestor.
 */
import type { ProcessAddress } from '../../core/address.ts'
import type { ProcessOptions } from '../../core/child-process.ts'
import { withoutStack } from '../../core/errors.ts'
import { noSuchProgram, SpawnError } from '../../core/process-errors.ts'
import type { Hook, Protocol } from '../../core/protocol.ts'
import type { ScriptedProcess } from './scripted-process.ts'

/**
 * What a program does; called when a process of it begins. The process lives until it says `exit`, or a signal ends it, or:
 *
 * - a Protocol that it returns speaks on stdin and stdout; the process ends when that connection does, with exit code 0
 *   if that was a clean end, otherwise with 1;
 * - a Deferred or a promise that it returns settles: exit code 0, or as when it throws.
 *
 * One that throws says so on stderr, and ends with exit code 1, or what `exitCode` of the error says; as under `react`.
 *
 * @example
 * const cat: Executable = () => new Echo()
 * const sleep: Executable = ({ reactor, args: [ms] }) => deferLater(reactor, Number(ms))
 */
export type Executable = (process: ScriptedProcess) => Protocol | Hook

/**
 * The files of a host that could be started. A name with a slash is that path; one without is a program of that name in
 * every directory.
 */
export type Executables = Readonly<Record<string, Executable | 'not executable'>>

/** Finds `address` as the operating system does. @throws SpawnError */
export function findExecutable(files: Executables, address: ProcessAddress, { env }: ProcessOptions): Executable {
  const { executable, args } = address
  if (executable === '') throw new SpawnError(address, 'arguments', 'the name of the program cannot be empty')
  const words = [executable, ...args, ...Object.entries(env ?? {}).flat()]
  if (words.some((word) => word?.includes('\0'))) {
    throw new SpawnError(address, 'arguments', 'there can be no null bytes in arguments and the environment')
  }
  const path = env?.['PATH']
  const places = executable.includes('/') ? [''] : (path?.split(':').map((folder) => `${folder}/`) ?? [])
  const found = places.map((place) => fileAt(files, place + executable)).find((file) => file !== undefined)
  if (typeof found === 'function') return found
  if (found === undefined) throw failed(address, 'ENOENT', noSuchProgram(executable, path))
  throw failed(address, 'EACCES', 'it is not executable (chmod +x)')
}

function fileAt(files: Executables, path: string): Executable | 'not executable' | undefined {
  for (const name of [path, path.slice(path.lastIndexOf('/') + 1)]) {
    if (Object.hasOwn(files, name)) return files[name]
  }
  return undefined
}

function failed(address: ProcessAddress, code: string, why: string): SpawnError {
  const cause = withoutStack(() => Object.assign(new Error(`spawn ${address.executable} ${code}`), { code }))
  return new SpawnError(address, 'executable', why, { cause })
}
