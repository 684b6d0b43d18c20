/**
 * What a signal does to a process that has said nothing about it.
 *
 * No ancestor: it is what POSIX says in `signal.h`.
 */
import type { Signal } from '../../core/process-errors.ts'

/** What becomes of the process. */
export type DefaultAction = 'ends' | 'stops' | 'goes on' | 'nothing'

const ends = 'ABRT ALRM BUS FPE HUP ILL INT KILL PIPE PROF QUIT SEGV SYS TERM TRAP USR1 USR2 VTALRM XCPU XFSZ'
const lists = { ends, stops: 'STOP TSTP TTIN TTOU', 'goes on': 'CONT', nothing: 'CHLD URG WINCH' }

const actions = new Map<string, DefaultAction>(
  Object.entries(lists).flatMap(([action, names]) =>
    names.split(' ').map((name): [string, DefaultAction] => [`SIG${name}`, action as DefaultAction]),
  ),
)

/** @throws TypeError for a signal that does not exist */
export function defaultActionOf(signal: Signal): DefaultAction {
  const action = actions.get(signal)
  if (action !== undefined) return action
  throw new TypeError(`there is no signal ${signal} (the ones of POSIX are known: SIGTERM, SIGINT, SIGHUP, …)`)
}

/** @throws TypeError for a signal that does not exist, or that no process can do anything about */
export function checkHandled(signal: Signal): void {
  defaultActionOf(signal)
  if (signal === 'SIGKILL' || signal === 'SIGSTOP') throw new TypeError(`no process can do anything about ${signal}`)
}
