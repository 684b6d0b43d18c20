/** More networks for tests: sockets in the file system, and TLS on top of what is there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Accept,
  type Address,
  type Connection,
  Deferred,
  type ListeningPort,
  type ListenOptions,
  type TLSOptions,
  UNIXAddress,
} from 'couplet'
import type { PairLimits, TransportWorld } from 'couplet/testing'
import { onTestFinished } from 'vitest'
import { client, server } from './certificates.ts'
import { anywhere, Loopback } from './loopback.ts'

/** A directory that is gone after the test. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'couplet-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A Loopback whose connections go elsewhere, or are secure. */
class OtherLoopback extends Loopback {
  readonly #address: () => Address
  readonly #tls: TLSOptions | undefined

  constructor(address: () => Address, tls?: TLSOptions) {
    super()
    this.#address = address
    this.#tls = tls
  }

  override async listen(accept: Accept, options: ListenOptions = {}): Promise<ListeningPort> {
    const tls = this.#tls && { ...server, ...this.#tls }
    const port = await this.reactor.listen(this.#address(), accept, { ...options, tls })
    onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
    return port
  }

  override async pair(limits: PairLimits = {}): Promise<[Connection, Connection]> {
    const accepted = new Deferred<Connection>()
    const port = await this.listen((connection) => accepted.callback(connection), limits.far)
    const tls = this.#tls && { ...client, ...this.#tls }
    const near = await this.reactor.dial(port.host, { ...limits.near, tls })
    onTestFinished(() => near.abortConnection())
    return [near, await accepted]
  }
}

/** The same, without the network of the contract, whose tests dial without TLS. */
function pairsOnly(world: Loopback): TransportWorld {
  return { pair: (limits) => world.pair(limits), plenty: world.plenty, settle: () => world.settle() }
}

/** Sockets in the file system, in a directory of this test. */
export function unixWorld(): TransportWorld {
  let folder: string | undefined
  let count = 0
  const fresh = (): Address => new UNIXAddress(join((folder ??= directory()), `socket-${count++}`))
  const world = new OtherLoopback(fresh)
  return { ...pairsOnly(world), network: { ...world.network, anywhere: fresh } }
}

/** TLS of one version, over TCP. */
export function tlsWorld(version: 'TLSv1.2' | 'TLSv1.3'): TransportWorld {
  return pairsOnly(new OtherLoopback(() => anywhere, { minVersion: version, maxVersion: version }))
}
