/** The certificates that certificates/make.sh has made, and what a client and a server make of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TLSClientOptions, TLSServerOptions } from 'couplet'

/** One of the files there. */
export function pem(file: string): string {
  return readFileSync(join(import.meta.dirname, 'certificates', file), 'utf8')
}

/** A certificate and its key. */
export function identity(name: string): { cert: string; key: string } {
  return { cert: pem(`${name}.pem`), key: pem(`${name}.key`) }
}

/** The authority that has signed most of them. */
export const ca = pem('ca.pem')

/** A server whom `client` trusts. */
export const server: TLSServerOptions = identity('server')
export const client: TLSClientOptions = { ca, serverName: 'poems.example' }
