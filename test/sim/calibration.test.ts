/** What happens on sockets can happen in simulation: no outcome of a script is one that no seed gives. */
import { type Connection, Deferred, IPv4Address, type TLSVersion } from 'couplet'
import { certify, Sim } from 'couplet/sim'
import type { TransportWorld } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Loopback } from '../node/loopback.ts'
import { tlsWorld } from '../node/worlds.ts'
import { act, drawScript, outcomeOf, type Script, simulate, witnessed } from './calibration.ts'

const identity = certify({ names: ['10.0.0.2'] })

/** The outcome on real sockets. */
async function onSockets(script: Script, net: TransportWorld): Promise<string> {
  const [near, far] = await net.pair()
  const ends = witnessed(near, far)
  const length = Math.max(script.near.length, script.far.length)
  for (let index = 0; index < length; index++) {
    for (const side of ['near', 'far'] as const) {
      const step = script[side][index]
      if (step === 'wait') await net.settle()
      else if (step !== undefined) act(ends[side], step)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  await net.settle()
  const outcome = outcomeOf(script, ends)
  near.abortConnection()
  far.abortConnection()
  await net.settle()
  return outcome
}

/** The outcome in the world of this seed. */
function inSimulation(script: Script, seed: number, maxVersion: TLSVersion | undefined): string {
  const chance = new Sim({ seed }).random('world')
  // The kernels of loopback hold megabytes.
  const buffer = chance.pick([65_536, 4 << 20])
  const latency = chance.pick([0, 0.01, 1])
  const ends = chance.pick(['when read', 'at once'] as const)
  const sim = new Sim({ seed, ties: 'shuffled', latency, ends, sendBuffer: buffer, receiveBuffer: buffer })
  const [client, server] = [sim.host('near').reactor, sim.host('far').reactor]
  const accepted = new Deferred<Connection>()
  const place = new IPv4Address('TCP', '10.0.0.2', 1)
  void server.listen(
    place,
    (connection) => accepted.callback(connection),
    maxVersion && { tls: { ...identity, maxVersion } },
  )
  sim.advance()
  let near: Connection | undefined
  let far: Connection | undefined
  client
    .dial(place, maxVersion && { tls: { ca: identity.cert, maxVersion } })
    .addCallback((connection) => void (near = connection))
  accepted.addCallback((connection) => void (far = connection))
  sim.advance(10)
  return simulate(sim, witnessed(near!, far!), script, chance)
}

const scripts = Array.from({ length: 40 }, (_, seed) => drawScript(new Sim({ seed }).random('script')))

describe.each([
  ['TCP', () => new Loopback(), undefined],
  ['TLS 1.2', () => tlsWorld('TLSv1.2'), 'TLSv1.2'],
  ['TLS 1.3', () => tlsWorld('TLSv1.3'), 'TLSv1.3'],
] as const)('over %s', (_name, makeNet, version) => {
  it.each(scripts)('sockets do nothing that the simulation cannot: near $near, far $far', async (script) => {
    const real = await onSockets(script, makeNet())
    const simulated = new Set<string>()
    for (let seed = 0; seed < 1000 && !simulated.has(real); seed++) simulated.add(inSimulation(script, seed, version))
    expect([...simulated]).toContain(real)
  })
})
