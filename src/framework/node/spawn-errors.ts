/**
 * Why a process could not be started, in words for people. The operating system gives one code for a program and for a
 * directory that is missing, so they are looked at.
 *
 * No ancestor: Twisted passes on the OSError, or an exit code of 1.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import type { ProcessAddress } from '../core/address.ts'
import type { ProcessOptions } from '../core/child-process.ts'
import { noSuchProgram, SpawnError } from '../core/process-errors.ts'
import { codeOf } from './system-errors.ts'

/** Starting `address` failed with one of Node's errors. */
export function spawnError(address: ProcessAddress, options: ProcessOptions, error: Error): SpawnError {
  const [fault, why] = whyNot(address, options, error)
  return new SpawnError(address, fault, why, { cause: error })
}

type Why = [fault: SpawnError['fault'], why: string]

function whyNot({ executable }: ProcessAddress, { cwd, env }: ProcessOptions, error: Error): Why {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EACCES':
      return wrongDirectory(cwd) ?? wrongExecutable(executable, env?.['PATH'])
    case 'E2BIG':
      return ['arguments', 'the arguments and the environment are too large (pass large data on stdin, or in a file)']
    case 'ERR_INVALID_ARG_VALUE':
    case 'ERR_INVALID_ARG_TYPE':
      return ['arguments', error.message]
    case 'EMFILE':
    case 'ENFILE':
      return ['limits', 'too many open files (see `ulimit -n`)']
    case 'EAGAIN':
      return ['limits', 'too many processes (see `ulimit -u`)']
    case 'ENOMEM':
      return ['limits', 'not enough memory']
    default:
      return ['executable', error.message]
  }
}

function wrongDirectory(cwd: string | undefined): Why | undefined {
  if (cwd === undefined) return undefined
  const found = statSync(cwd, { throwIfNoEntry: false })
  if (found === undefined) return ['directory', `there is no directory ${JSON.stringify(cwd)} to start it in`]
  if (!found.isDirectory()) return ['directory', `${JSON.stringify(cwd)} is no directory to start it in`]
  try {
    accessSync(cwd, constants.X_OK)
    return undefined
  } catch {
    return ['directory', `the directory ${JSON.stringify(cwd)} may not be entered`]
  }
}

function wrongExecutable(executable: string, path: string | undefined): Why {
  if (!executable.includes('/') || !existsSync(executable)) return ['executable', noSuchProgram(executable, path)]
  try {
    accessSync(executable, constants.X_OK)
    if (statSync(executable).isDirectory()) return ['executable', 'it is a directory']
    return ['executable', 'its interpreter, named in its first line (#!), is missing']
  } catch {
    return ['executable', 'it is not executable (chmod +x)']
  }
}
