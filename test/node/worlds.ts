/** More networks for tests: sockets in the file system, and TLS on top of what is there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UNIXAddress } from 'couplet'
import type { TransportWorld } from 'couplet/testing'
import { onTestFinished } from 'vitest'
import { client, server } from './certificates.ts'
import { Loopback } from './loopback.ts'

/** A directory that is gone after the test. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'couplet-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Sockets in the file system, in a directory of this test. */
export function unixWorld(): TransportWorld {
  const folder = directory()
  let count = 0
  return new Loopback(undefined, { anywhere: () => new UNIXAddress(join(folder, `socket-${count++}`)) })
}

/** TLS of one version, over TCP. */
export function tlsWorld(version: 'TLSv1.2' | 'TLSv1.3'): TransportWorld {
  const only = { minVersion: version, maxVersion: version }
  return new Loopback(undefined, {
    dialOptions: { tls: { ...client, ...only } },
    listenOptions: { tls: { ...server, ...only } },
  })
}
