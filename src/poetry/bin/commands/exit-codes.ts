/**
 * How a program ends, as a number: what went wrong, for the scripts that call it. The numbers are those of BSD's
 * `sysexits.h`, and 128 plus a signal's number.
 *
 * No ancestor.
 */
import {
  CannotListenError,
  ConnectError,
  ConnectionClosed,
  DNSLookupError,
  ProtocolError,
  TLSError,
  UnsupportedAddress,
} from 'couplet'
import { PoemCutOff } from '../../poetry-client.ts'
import { TransformFailed } from '../../transform/transform-service.ts'

/** Every number that the poetry programs end with. */
export const exitCode = {
  ok: 0,
  usage: 2,
  notTransformed: 65,
  noInput: 66,
  unknownHost: 68,
  unavailable: 69,
  internal: 70,
  system: 71,
  cannotCreate: 73,
  incomplete: 74,
  tookTooLong: 75,
  protocol: 76,
  notPermitted: 77,
  interrupted: 130,
  stdoutClosed: 141,
  terminated: 143,
} as const

/** One of {@link exitCode}. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

const codes: Readonly<Record<string, ExitCode>> = {
  EACCES: exitCode.notPermitted,
  EPERM: exitCode.notPermitted,
  EMFILE: exitCode.system,
  ENFILE: exitCode.system,
  EADDRNOTAVAIL: exitCode.system,
  EPIPE: exitCode.stdoutClosed,
}

/** The number for an error that ended the program, or a part of what it was asked to do. */
export function exitCodeFor(error: unknown): ExitCode {
  for (const link of causes(error)) {
    if ('exitCode' in link) return link.exitCode as ExitCode
    if (link instanceof ProtocolError) return exitCode.protocol
    const known = 'code' in link ? codes[String(link.code)] : undefined
    if (known !== undefined) return known
  }
  if (error instanceof TransformFailed) return exitCode.notTransformed
  if (error instanceof DNSLookupError) return exitCode.unknownHost
  if (error instanceof UnsupportedAddress) return exitCode.system
  if (error instanceof PoemCutOff || error instanceof ConnectionClosed) return exitCode.incomplete
  // Somebody is there, and is not trusted: to try again would not help.
  if (causes(error).some((link) => link instanceof TLSError)) return exitCode.notPermitted
  if (error instanceof ConnectError) return exitCode.unavailable
  if (error instanceof CannotListenError) return exitCode.system
  return exitCode.internal
}

/** The number for a program that a signal made give up. */
export function exitCodeForSignal(signal: string): ExitCode {
  return signal === 'SIGTERM' ? exitCode.terminated : exitCode.interrupted
}

function causes(error: unknown): Error[] {
  const links: Error[] = []
  // Nobody nests causes as deeply; a circle ends here too.
  for (let link = error; link instanceof Error && links.length < 8; link = link.cause) links.push(link)
  return links
}
